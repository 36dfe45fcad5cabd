package channel

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap/zaptest"

	"dchat/p2p/addr"
	"dchat/p2p/dnet"
	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// note is an unmetered application message.
type note struct{ text string }

func (note) Spec() wire.Spec                 { return wire.Spec{Command: "note"} }
func (n note) AppendPayload(b []byte) []byte { return append(b, n.text...) }

// fixture is a channel that runs, and the connection of its peer.
type fixture struct {
	*Channel
	peer   transport.Conn
	frames *wire.FrameReader // what the peer reads
	result chan error        // what Run returned
}

// start runs a channel over an in-memory connection. subscribe comes before Run.
// The channel is open at once unless the test opens it.
func start(t *testing.T, change func(*Config), subscribe func(*Channel)) *fixture {
	t.Helper()
	mem := transport.NewMem()
	l, err := mem.Listen(t.Context(), addr.MustParse("tcp://127.0.0.1:1"))
	if err != nil {
		t.Fatal(err)
	}
	peer, err := mem.From(netip.MustParseAddr("10.0.0.1")).Dial(t.Context(), l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{
		Magic:            wire.DefaultMagic,
		Kind:             Inbound,
		Addr:             conn.Peer(),
		HandshakeTimeout: 10 * time.Second,
		WriteTimeout:     10 * time.Second,
		SendQueue:        1 << 20,
		MaxMessage:       4 << 20,
		Events:           &dnet.Bus{},
		Log:              zaptest.NewLogger(t),
	}
	if change != nil {
		change(&cfg)
	}
	f := &fixture{Channel: New(conn, cfg), peer: peer, frames: wire.NewFrameReader(peer, wire.DefaultMagic), result: make(chan error, 1)}
	if subscribe != nil {
		subscribe(f.Channel)
	}
	go func() { f.result <- f.Run(func() error { return nil }) }()
	t.Cleanup(func() {
		f.Close(ErrStopped)
		_ = peer.Close() // the test may have closed it
		must(t, l.Close())
		<-f.Done()
		synctest.Wait()
	})
	return f
}

// open ends the handshake by a message of it, as a protocol would.
func open(t *testing.T, f *fixture) {
	t.Helper()
	f.write(t, wire.Verack{AppName: "x"})
	synctest.Wait()
}

// opens subscribes to the message that ends the handshake.
func opens(t *testing.T, c *Channel) {
	t.Helper()
	must(t, c.Subscribe(Subscription{Spec: wire.Verack{}.Spec(), Handshake: true, Handle: func([]byte) error {
		return c.Open(wire.Version{AppName: "remote"}, func() error { return nil })
	}}))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) write(t *testing.T, messages ...wire.Message) {
	t.Helper()
	var b []byte
	for _, m := range messages {
		var err error
		b, err = wire.AppendFrame(b, wire.DefaultMagic, m)
		must(t, err)
	}
	_, err := f.peer.Write(b)
	must(t, err)
}

// read returns the command and the payload of the next frame that the peer gets.
func (f *fixture) read(t *testing.T) (string, string) {
	t.Helper()
	h, err := f.frames.Next()
	must(t, err)
	command := string(h.Command)
	payload, err := f.frames.Payload(8 << 20)
	must(t, err)
	return command, string(payload)
}

// ended waits for Run and returns why the channel ended.
func (f *fixture) ended(t *testing.T) error {
	t.Helper()
	select {
	case err := <-f.result:
		f.result <- err
		return err
	case <-time.After(time.Minute):
		t.Fatal("the channel goes on")
		return nil
	}
}

func TestAChannelThatIsNotOpenInTimeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		f := start(t, nil, nil)
		<-f.Done()
		if took := time.Since(begin); took != 10*time.Second {
			t.Errorf("ended after %v, want 10 s", took)
		}
		if err := f.ended(t); !errors.Is(err, ErrHandshakeTimeout) {
			t.Errorf("ended with %v", err)
		}
	})
}

func TestAnOpenChannelLivesOnWithoutTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil, func(c *Channel) { opens(t, c) })
		open(t, f)
		time.Sleep(time.Hour)
		if err := f.Err(); err != nil {
			t.Errorf("ended with %v", err)
		}
		if got := f.Remote().AppName; got != "remote" {
			t.Errorf("remote is %q", got)
		}
	})
}

func TestTheEndOfTheStreamTellsAFaultFromADisconnection(t *testing.T) {
	frame, err := wire.AppendFrame(nil, wire.DefaultMagic, note{"hello"})
	must(t, err)
	for cut := range len(frame) + 1 {
		synctest.Test(t, func(t *testing.T) {
			f := start(t, nil, func(c *Channel) {
				opens(t, c)
				must(t, c.Subscribe(Subscription{Spec: note{}.Spec(), Handle: func([]byte) error { return nil }}))
			})
			open(t, f)
			_, err := f.peer.Write(frame[:cut])
			must(t, err)
			must(t, f.peer.CloseWrite())
			err = f.ended(t)
			if offence := (*wire.Error)(nil); errors.As(err, &offence) {
				t.Errorf("cut after %d bytes: an offence: %v", cut, err)
			}
			if between := cut == 0 || cut == len(frame); errors.Is(err, ErrDisconnected) != between {
				t.Errorf("cut after %d bytes: %v", cut, err)
			}
		})
	}
}

func TestOneCommandHasOneSubscription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start(t, nil, func(c *Channel) {
			s := Subscription{Spec: note{}.Spec(), Handle: func([]byte) error { return nil }}
			must(t, c.Subscribe(s))
			if c.Subscribe(s) == nil {
				t.Error("a second subscription was taken")
			}
		})
	})
}

func TestOnlyCommandsThatAreSpokenCanBeSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil, func(c *Channel) { opens(t, c) })
		if err := f.Send(t.Context(), note{"x"}); !errors.Is(err, ErrNotSpoken) {
			t.Errorf("error is %v, want ErrNotSpoken", err)
		}
	})
}

func TestTheFirstReasonOfAnEndCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil, nil)
		first := errors.New("first")
		f.Close(first)
		f.Close(errors.New("second"))
		if err := f.ended(t); !errors.Is(err, first) {
			t.Errorf("ended with %v", err)
		}
		if f.Go(func(context.Context) { t.Error("ran on a channel that has ended") }) {
			t.Error("Go says that it ran")
		}
		ran := false
		if f.OnEnd(func() { ran = true }); !ran {
			t.Error("OnEnd after the end did nothing")
		}
	})
}

func TestAnOfferOfWorkEndsWithTheChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil, nil)
		order := make(chan string, 3)
		f.OnEnd(func() { order <- "end" })
		f.Go(func(ctx context.Context) {
			<-ctx.Done()
			order <- "task"
		})
		timer := f.AfterFunc(time.Second, func(context.Context) { order <- "timer" })
		defer timer.Stop()
		time.Sleep(2 * time.Second)
		f.Close(ErrStopped)
		_ = f.ended(t)
		got := []string{<-order, <-order, <-order}
		if got[0] != "timer" {
			t.Errorf("order is %q", got)
		}
	})
}
