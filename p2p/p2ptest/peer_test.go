package p2ptest

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"dchat/p2p/addr"
	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair connects two peers over a network in this process.
func pair(t *testing.T) (dialer, listener *Peer) {
	t.Helper()
	set := transport.Set{"tcp": transport.NewMem()}
	l, err := set.Listen(t.Context(), addr.MustParse("tcp://127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	dialer = Dial(t, set, l.Addr())
	return dialer, Accept(t, l)
}

func TestTwoPeersGreetEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		a.Version.NodeID = "a"
		b.Send(&b.Version, &b.Verack, &wire.Ping{Nonce: 7})
		if v := a.Greet(); v.ConnectRecvAddr != b.Version.ConnectRecvAddr {
			t.Errorf("the other's version has connect_recv_addr %v, want %v", v.ConnectRecvAddr, b.Version.ConnectRecvAddr)
		}
		var v wire.Version
		if b.Expect(&v); v.NodeID != "a" {
			t.Errorf("node id is %q, want a", v.NodeID)
		}
		var pong wire.Pong
		if b.Expect(&pong); pong.Nonce != 7 {
			t.Errorf("pong has nonce %d, want 7", pong.Nonce)
		}
	})
}

func TestARecordingHasEveryMessageWithItsTimeAndTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		start := time.Now()
		r := b.Record()
		a.Send(&wire.Ping{Nonce: 1})
		<-time.After(time.Second)
		a.Write(a.RawFrame("odd", []byte("one")))
		synctest.Wait()
		if _, _, ended := r.Ended(); ended {
			t.Fatal("ended before the other side closed")
		}
		a.Close(true)
		<-r.Done()
		if got := r.Commands(); !slices.Equal(got, []string{"ping", "odd"}) {
			t.Fatalf("recorded %q", got)
		}
		if m := r.Messages()[1]; string(m.Payload) != "one" || m.At.Sub(start) != time.Second {
			t.Errorf("second message is %q after %v, want one after 1s", m.Payload, m.At.Sub(start))
		}
		if at, clean, _ := r.Ended(); !clean || at.Sub(start) != time.Second {
			t.Errorf("ended after %v, clean %v; want 1s, true", at.Sub(start), clean)
		}
	})
}

func TestARecordingKnowsAStreamThatWasCutInsideAFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		r := b.Record()
		frame := a.Frame(&wire.Ping{})
		a.Write(frame[:len(frame)-1])
		a.CloseWrite()
		<-r.Done()
		if _, clean, _ := r.Ended(); clean {
			t.Error("the end inside a frame counts as clean")
		}
	})
}

func TestClosedReturnsWhatCameBeforeTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		a.Send(&wire.Ping{}, &wire.Pong{})
		a.Close(false)
		if rest := b.Closed(); len(rest) != 2 || rest[1].Command != "pong" {
			t.Errorf("got %v, want a ping and a pong", rest)
		}
	})
}
