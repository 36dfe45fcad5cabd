package channel

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

func TestWhatComesBeforeTheHandshakeIsKeptInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		f := start(t, nil, func(c *Channel) {
			opens(t, c)
			must(t, c.Subscribe(Subscription{Spec: note{}.Spec(), Handle: func(p []byte) error {
				got = append(got, string(p))
				return nil
			}}))
		})
		f.write(t, note{"1"}, note{"2"})
		synctest.Wait()
		if got != nil {
			t.Fatalf("handled before the handshake: %q", got)
		}
		open(t, f)
		f.write(t, note{"3"})
		synctest.Wait()
		if want := []string{"1", "2", "3"}; !slices.Equal(got, want) {
			t.Errorf("handled %q, want %q", got, want)
		}
	})
}

func TestH6OnlyALittleIsKeptBeforeTheHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil, func(c *Channel) {
			opens(t, c)
			must(t, c.Subscribe(Subscription{Spec: note{}.Spec(), Handle: func([]byte) error { return nil }}))
		})
		f.write(t, note{strings.Repeat("x", earlyBytes-len("note"))})
		synctest.Wait()
		if err := f.Err(); err != nil {
			t.Fatalf("ended at the limit: %v", err)
		}
		f.write(t, note{""})
		var offence *wire.Error
		if err := f.ended(t); !errors.As(err, &offence) || offence.Kind != wire.Flood {
			t.Errorf("ended with %v, want a flood", err)
		}
	})
}

func TestR10ASlowHandlerLosesMessagesAndHoldsUpNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		handled := 0
		f := start(t, nil, func(c *Channel) {
			answering(t, c)
			must(t, c.Subscribe(Subscription{Spec: wire.Spec{Command: "slow"}, Queue: 10, Handle: func([]byte) error {
				<-release
				handled++
				return nil
			}}))
		})
		open(t, f)
		for range 20 {
			f.write(t, slow{})
		}
		synctest.Wait()
		f.write(t, wire.Ping{Nonce: 7})
		if command, _ := f.read(t); command != "pong" {
			t.Errorf("got %q while a handler is slow", command)
		}
		if dropped := f.Stats().Dropped; dropped < 9 || dropped > 10 {
			t.Errorf("%d messages were counted as dropped, want 9 or 10: one is being handled, 10 wait", dropped)
		}
		close(release)
		synctest.Wait()
		if handled+int(f.Stats().Dropped) != 20 {
			t.Errorf("%d handled and %d dropped of 20", handled, f.Stats().Dropped)
		}
	})
}

func TestWhatAPeerSaidJustBeforeItLeftIsHandled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handled := 0
		f := start(t, nil, func(c *Channel) {
			opens(t, c)
			must(t, c.Subscribe(Subscription{Spec: wire.Spec{Command: "slow"}, Queue: 10, Handle: func([]byte) error {
				<-time.After(100 * time.Millisecond)
				handled++
				return nil
			}}))
		})
		open(t, f)
		for range 10 {
			f.write(t, slow{})
		}
		must(t, f.peer.Close())
		if err := f.ended(t); !errors.Is(err, ErrDisconnected) {
			t.Errorf("ended with %v", err)
		}
		if handled < 5 || handled > 7 {
			t.Errorf("%d of 10 messages that take 0.1 s each were handled, want those of the next half second", handled)
		}
	})
}

func TestAMessageLargerThanTheQueueReachesAHandlerThatHasOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got int
		f := start(t, nil, func(c *Channel) {
			opens(t, c)
			must(t, c.Subscribe(Subscription{Spec: note{}.Spec(), Queue: 1, Handle: func(p []byte) error {
				got = len(p)
				return nil
			}}))
		})
		open(t, f)
		f.write(t, note{strings.Repeat("x", 2*queueBytes)})
		synctest.Wait()
		if got != 2*queueBytes {
			t.Errorf("%d bytes arrived of %d, %d messages were dropped", got, 2*queueBytes, f.Stats().Dropped)
		}
	})
}

type slow struct{}

func (slow) Spec() wire.Spec               { return wire.Spec{Command: "slow"} }
func (slow) AppendPayload(b []byte) []byte { return b }

func TestL8APanicEndsOneChannelWithAnErrorInTheLog(t *testing.T) {
	for _, queue := range []int{0, 1} {
		t.Run(fmt.Sprintf("queue of %d", queue), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				core, logs := observer.New(zapcore.ErrorLevel)
				f := start(t, func(cfg *Config) { cfg.Log = zap.New(core) }, func(c *Channel) {
					opens(t, c)
					must(t, c.Subscribe(Subscription{Spec: note{}.Spec(), Queue: queue, Handle: func([]byte) error { panic("oh") }}))
				})
				open(t, f)
				f.write(t, note{"x"})
				var crash *PanicError
				if err := f.ended(t); !errors.As(err, &crash) || crash.Command != "note" || crash.Value != "oh" {
					t.Errorf("ended with %v", err)
				}
				if logs.Len() != 1 {
					t.Errorf("%d lines in the log, want 1", logs.Len())
				}
			})
		})
	}
}

func TestL8APanicOutsideAHandlerEndsOneChannelToo(t *testing.T) {
	for name, provoke := range map[string]func(*fixture){
		"task":  func(f *fixture) { f.Go(func(context.Context) { panic("oh") }) },
		"timer": func(f *fixture) { f.AfterFunc(time.Second, func(context.Context) { panic("oh") }) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				core, logs := observer.New(zapcore.ErrorLevel)
				f := start(t, func(cfg *Config) { cfg.Log = zap.New(core) }, func(c *Channel) { opens(t, c) })
				open(t, f)
				provoke(f)
				var crash *PanicError
				if err := f.ended(t); !errors.As(err, &crash) || crash.Value != "oh" {
					t.Errorf("ended with %v", err)
				}
				if logs.Len() != 1 {
					t.Errorf("%d lines in the log, want 1", logs.Len())
				}
			})
		})
	}
}

// broken is a connection whose transport has a bug.
type broken struct {
	transport.Conn
	writes bool // and can be read
}

func (b broken) Read(p []byte) (int, error) {
	if b.writes {
		return b.Conn.Read(p)
	}
	panic("oh")
}

func (broken) Write([]byte) (int, error) { panic("oh") }
func (broken) CloseWrite() error         { panic("oh") }

func (b broken) Close() error {
	_ = b.Conn.Close()
	panic("oh")
}

func TestL8APanicOfATransportEndsOneChannelToo(t *testing.T) {
	for name, writes := range map[string]bool{"read": false, "write": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				core, logs := observer.New(zapcore.ErrorLevel)
				f := start(t, func(cfg *Config) { cfg.Log = zap.New(core) }, func(c *Channel) {
					opens(t, c)
					must(t, c.Subscribe(Subscription{Spec: note{}.Spec(), Handle: func([]byte) error { return c.Send(c.ctx, note{"x"}) }}))
					inner := &c.conn.(*guarded).Conn
					*inner = broken{*inner, writes}
				})
				f.write(t, wire.Verack{AppName: "x"}, note{"x"})
				var crash *PanicError
				if err := f.ended(t); !errors.As(err, &crash) || crash.Value != "oh" {
					t.Errorf("ended with %v", err)
				}
				if logs.Len() == 0 {
					t.Error("nothing in the log")
				}
			})
		})
	}
}

func TestAnUnknownCommandIsAnOffence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil, func(c *Channel) { opens(t, c) })
		open(t, f)
		f.write(t, note{"x"})
		var offence *wire.Error
		if err := f.ended(t); !errors.As(err, &offence) || offence.Kind != wire.UnknownCommand || offence.Command != "note" {
			t.Errorf("ended with %v", err)
		}
	})
}

func TestACommandWithoutALimitHasThatOfTheChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got int
		f := start(t, func(cfg *Config) { cfg.MaxMessage = 1000 }, func(c *Channel) {
			opens(t, c)
			must(t, c.Subscribe(Subscription{Spec: note{}.Spec(), Handle: func(p []byte) error {
				got = len(p)
				return nil
			}}))
		})
		open(t, f)
		f.write(t, note{strings.Repeat("x", 1000)})
		synctest.Wait()
		if got != 1000 {
			t.Fatalf("a payload at the limit has %d bytes", got)
		}
		f.write(t, note{strings.Repeat("x", 1001)})
		var offence *wire.Error
		if err := f.ended(t); !errors.As(err, &offence) || offence.Kind != wire.BadPayload {
			t.Errorf("ended with %v", err)
		}
	})
}

func TestCountersCountBothWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil, func(c *Channel) { answering(t, c) })
		open(t, f)
		in := f.Stats()
		f.write(t, note{"hello"})
		f.read(t)
		time.Sleep(time.Millisecond)
		out := f.Stats()
		const frame = 4 + 1 + 4 + 1 + 5
		if out.BytesIn-in.BytesIn != frame || out.BytesOut != frame || out.MessagesIn-in.MessagesIn != 1 || out.MessagesOut != 1 {
			t.Errorf("before %+v, after %+v", in, out)
		}
	})
}
