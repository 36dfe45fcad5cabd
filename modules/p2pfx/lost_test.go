package p2pfx_test

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"testing/synctest"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"dchat/modules/p2pfx"
	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

// unplugged is a network whose listeners break, and give place to none.
type unplugged struct {
	transport.Transport
	listened bool
}

func (u *unplugged) Listen(ctx context.Context, a addr.Addr) (transport.Listener, error) {
	if u.listened {
		return nil, &transport.Error{Op: "listen on", Addr: a, Err: syscall.EADDRNOTAVAIL}
	}
	u.listened = true
	l, err := u.Transport.Listen(ctx, a)
	return unpluggedListener{l}, err
}

type unpluggedListener struct{ transport.Listener }

func (unpluggedListener) Accept() (transport.Conn, error) { return nil, syscall.EINVAL }

// service is a part of a larger application that wants to know when the node cannot be reached.
func service(got chan<- error) func(fx.Lifecycle, *p2p.P2p) {
	return func(lc fx.Lifecycle, node *p2p.P2p) {
		lc.Append(fx.StartHook(func() {
			go func() { got <- <-node.Err() }()
		}))
	}
}

func TestAServiceSeesThatItsNodeHasLostItsAddress(t *testing.T) {
	for name, options := range map[string]func(got chan<- error) fx.Option{
		"the node": func(got chan<- error) fx.Option {
			return fx.Options(fx.Supply(at(alice)), p2pfx.Module, fx.Invoke(service(got)))
		},
		"a named node": func(got chan<- error) fx.Option {
			return fx.Options(
				p2pfx.Named("alice", fx.Supply(fx.Private, at(alice))),
				fx.Invoke(fx.Annotate(service(got), fx.ParamTags(``, `name:"alice"`))),
			)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := make(chan error, 1)
				set := transport.Set{addr.TCP: &unplugged{Transport: transport.NewMem()}}
				app := fxtest.New(t, options(got), fx.Supply(set))
				app.RequireStart()
				var lost *transport.Error
				if err := <-got; !errors.As(err, &lost) || lost.Addr != alice {
					t.Errorf("it sees %v, want that %v is lost", err, alice)
				}
				app.RequireStop()
			})
		})
	}
}
