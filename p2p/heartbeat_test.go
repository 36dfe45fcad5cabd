package p2p_test

import (
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p"
	"dchat/p2p/p2ptest"
	"dchat/p2p/protocol"
	"dchat/p2p/wire"
)

func TestTheNextPingComesAnIntervalAfterThePong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := startNode(t, memory()).dial()
		p.Handshake()
		var ping wire.Ping
		p.Expect(&ping)
		for i := range 5 {
			<-time.After(time.Duration(i) * time.Second)
			p.Send(&wire.Pong{Nonce: ping.Nonce})
			pong := time.Now()
			p.Expect(&ping)
			if after := time.Since(pong); after != 30*time.Second {
				t.Fatalf("ping %d came %v after the pong, want 30s", i, after)
			}
		}
	})
}

func TestT5APongMayTakeTheConnectTimeoutAndNoLonger(t *testing.T) {
	for _, c := range []struct {
		late  time.Duration
		keeps bool
	}{{-time.Millisecond, true}, {time.Millisecond, false}} {
		t.Run(c.late.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := startNode(t, memory())
				p := n.dial()
				p.Handshake()
				var ping wire.Ping
				p.Expect(&ping)
				asked := time.Now()
				ch := n.channel()
				<-time.After(15*time.Second + c.late)
				synctest.Wait()
				if c.keeps {
					p.Send(&wire.Pong{Nonce: ping.Nonce})
					<-time.After(time.Minute / 2)
					if err := ch.Err(); err != nil {
						t.Errorf("the channel ended with %v", err)
					}
					return
				}
				wantReason(t, ch, protocol.ErrNoPong)
				p.Closed()
				if took := time.Since(asked); took != 15*time.Second+c.late {
					t.Errorf("closed after %v", took)
				}
			})
		})
	}
}

func TestT5AWrongPongEndsTheChannelAndAnUnaskedOneDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memory())
		p := n.greeted()
		p.Send(&wire.Pong{Nonce: 1}, &wire.Pong{Nonce: 2})
		p.Alive()
		var ping wire.Ping
		p.Expect(&ping)
		if ch := n.channel(); ch.Err() != nil {
			t.Fatalf("unasked pongs ended the channel: %v", ch.Err())
		}
		p.Send(&wire.Pong{Nonce: ping.Nonce + 1})
		p.Closed()

		p = n.dial()
		p.Handshake()
		p.Expect(&ping)
		p.Send(&wire.Pong{Nonce: ping.Nonce + 1})
		wantReason(t, n.channel(), protocol.ErrWrongPong)
	})
}

func TestTheHeartbeatIsThatOfTheProfileAndGoesBothWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		l := listen(t, set)
		startNode(t, set, withPeers(l.Addr()), func(s *p2p.Settings) {
			profile := p2p.DefaultProfile("tcp")
			profile.HeartbeatInterval = 2 * time.Second
			s.Profiles = map[string]p2p.Profile{"tcp": profile}
		})
		p := p2ptest.Accept(t, l)
		p.Greet()
		start := time.Now()
		p.Alive()
		p.AnswerPing()
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("the second ping came after %v, want 2s", took)
		}
	})
}

func TestManyNodesStayConnectedForAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		hub := startNode(t, set)
		var others []*node
		for range 5 {
			others = append(others, startNode(t, set, withPeers(hub.Addrs()...)))
		}
		<-time.After(time.Hour)
		synctest.Wait()
		hub.broadcast("to all", len(others))
		for _, n := range others {
			if got := n.text(); got != "to all" {
				t.Errorf("received %q", got)
			}
			if made := len(n.channels); made != 1 {
				t.Errorf("a node needed %d connections, want 1", made)
			}
		}
	})
}
