package p2p_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p"
	"dchat/p2p/p2ptest"
	"dchat/p2p/wire"
)

// misdeeds are what a peer can do wrong after its handshake, and whether it is
// banned for that where the policy is strict.
var misdeeds = []struct {
	name   string
	do     func(*p2ptest.Peer)
	banned bool
}{
	{"an unknown command", func(p *p2ptest.Peer) { p.Write(p.RawFrame("nonsense", nil)) }, true},
	{"a command over 255 bytes", func(p *p2ptest.Peer) { p.Write(append(p.Magic[:], 0xfd, 0x00, 0x01)) }, true},
	{"a message over its limit", func(p *p2ptest.Peer) { p.Write(p.RawFrame(wire.CommandPing, []byte{1, 2, 3})) }, true},
	{"a message that does not decode", func(p *p2ptest.Peer) { p.Write(p.RawFrame(wire.CommandPing, []byte{1})) }, true},
	{"a flood", func(p *p2ptest.Peer) {
		for range 40 {
			_ = p.TryWrite(p.RawFrame(wire.CommandPing, []byte{1, 2})) // cut before the last
		}
	}, true},
	{"another network's frame", func(p *p2ptest.Peer) { p.Write([]byte{1, 2, 3, 4}) }, false},
	{"the end inside a payload", func(p *p2ptest.Peer) {
		f := p.RawFrame(wire.CommandPing, []byte{1, 2})
		p.Write(f[:len(f)-1])
		p.CloseWrite()
	}, false},
	{"the end inside a header", func(p *p2ptest.Peer) { p.Write(p.Magic[:3]); p.CloseWrite() }, false},
	{"the end between frames", func(p *p2ptest.Peer) { p.CloseWrite() }, false},
	{"a wrong pong", func(p *p2ptest.Peer) {
		var ping wire.Ping
		p.Expect(&ping)
		p.Send(&wire.Pong{Nonce: ping.Nonce + 1})
	}, false},
	{"no pong", func(*p2ptest.Peer) { <-time.After(16 * time.Second) }, false},
}

func TestWhoBreaksTheProtocolIsBannedWithItsHostWhereThePolicyIsStrict(t *testing.T) {
	for _, policy := range []p2p.BanPolicy{p2p.BanStrict, p2p.BanRelaxed} {
		for _, m := range misdeeds {
			t.Run(string(policy)+" "+m.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n := startNode(t, memory(), func(s *p2p.Settings) { s.BanPolicy = policy })
					p := n.greeted()
					m.do(p)
					p.Closed()
					p.Close(false)
					synctest.Wait()
					want := m.banned && policy == p2p.BanStrict
					bans := n.Hosts().Bans()
					if got := len(bans) == 1; got != want {
						t.Fatalf("the bans are %+v, banned: want %v", bans, want)
					}
					next := n.dial()
					if !want {
						next.Handshake()
						return
					}
					if b := bans[0]; b.Host != "127.0.0.1" || b.Reason == "" || b.Until.Sub(b.Since) != 24*time.Hour {
						t.Errorf("the ban is %+v, want the host for a day, with the reason", b)
					}
					if said := next.Closed(); len(said) != 0 {
						t.Errorf("the next connection was told %v, want not a byte", said)
					}
					<-time.After(24 * time.Hour)
					n.dial().Handshake()
				})
			})
		}
	}
}

func TestAPeerThatWeDialledIsBannedByHostAndPort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		l, other := listen(t, set), listen(t, set)
		n := startNode(t, set, slots(2))
		n.hears(l.Addr(), other.Addr())
		p := p2ptest.Accept(t, l)
		p.Greet()
		honest := p2ptest.Accept(t, other)
		honest.Greet()
		p.Write(p.RawFrame("nonsense", nil))
		p.Closed()
		p.Close(false)
		synctest.Wait()
		if bans := n.Hosts().Bans(); len(bans) != 1 || n.colour(l.Addr()) != "black" || n.colour(other.Addr()) != "gold" {
			t.Errorf("bans %+v, the address is %s, its neighbour %s; want the one address banned", bans, n.colour(l.Addr()), n.colour(other.Addr()))
		}
		if redialled(t, l, 23*time.Hour) {
			t.Error("it was dialled again within a day")
		}
	})
}

func TestAConfiguredPeerIsNeverBannedOnlyCutAndTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		l := listen(t, set)
		n := startNode(t, set, withPeers(l.Addr()))
		for range 3 {
			p := p2ptest.Accept(t, l)
			p.Greet()
			p.Write(p.RawFrame("nonsense", nil))
			p.Closed()
			p.Close(false)
		}
		if bans := n.Hosts().Bans(); len(bans) != 0 {
			t.Errorf("bans %+v, want none", bans)
		}
		if got := n.logs.FilterMessageSnippet("since it is configured").Len(); got < 2 {
			t.Errorf("%d warnings, want one each time", got)
		}
	})
}

// B1: one of three behind an address misbehaves.
func TestB1TheNeighboursOfAnOffenderStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memory())
		honest := []*p2ptest.Peer{n.greeted(), n.greeted()}
		for range 2 {
			bad := n.greeted()
			bad.Write(bad.RawFrame("nonsense", nil))
			bad.Closed()
			bad.Close(false)
			synctest.Wait()
			for _, p := range honest {
				p.Alive()
			}
		}
		if bans := n.Hosts().Bans(); len(bans) != 1 {
			t.Errorf("bans %+v, want one for the second offence", bans)
		}
	})
}

func TestWhoIsConnectedIsSavedAsGoldAndFoundAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		l := listen(t, set)
		file := filepath.Join(t.TempDir(), "hosts.tsv")
		n := newNode(t, set, slots(1), func(s *p2p.Settings) { s.Hostlist = file })
		n.start()
		n.hears(l.Addr())
		p := p2ptest.Accept(t, l)
		p.Greet()
		synctest.Wait()
		go func() { p.Closed(); p.Close(false) }()
		n.stop()
		text, err := os.ReadFile(file)
		if err != nil || !strings.HasPrefix(string(text), "gold\t"+l.Addr().String()+"\t") {
			t.Errorf("the file has %q, %v; want the peer as gold", text, err)
		}
		again := newNode(t, set, slots(1), func(s *p2p.Settings) { s.Hostlist = file })
		again.start()
		p2ptest.Accept(t, l).Greet() // without a seed, at once
	})
}
