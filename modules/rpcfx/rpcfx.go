// Package rpcfx puts the JSON-RPC server into an fx application.
//
// It provides *jsonrpc.Server and needs Settings; a *zap.Logger is used when
// there is one. The server has the methods of the value group "rpc methods".
//
// Serve, which the application invokes before anything else that needs the node,
// runs the server: it starts before the network and stops before it, so a client
// is never refused while the daemon runs, and no request is taken while the
// network goes down.
//
// To swap it, fx.Replace Settings with another address, or leave out the module
// and the Invoke.
package rpcfx

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/fx"
	"go.uber.org/zap"

	"dchat/chat/jsonrpc"
	"dchat/chat/rpc"
	"dchat/p2p/addr"
)

// Module provides *jsonrpc.Server.
var Module = fx.Module("rpc", fx.Provide(New, newStarter))

// Settings say where the server listens.
type Settings struct {
	// Listen is a tcp, unix or http+tcp address. Anybody who can connect to it can
	// use it: keep it on this machine.
	Listen addr.Addr
	// Disabled are the methods to refuse.
	Disabled []string
}

// ListenError says why the server cannot listen, and what to do. An application
// does not start with it.
type ListenError struct{ Err error }

// Error names the address, the reason and the remedy.
func (e *ListenError) Error() string { return e.Err.Error() }

// Unwrap gives the reason.
func (e *ListenError) Unwrap() error { return e.Err }

// Params is what New needs.
type Params struct {
	fx.In

	Settings Settings
	Methods  []rpc.Methods `group:"rpc methods"`
	Log      *zap.Logger   `optional:"true"`
}

// New makes the server; Serve runs it.
func New(p Params) (*jsonrpc.Server, error) {
	methods := rpc.Methods{}
	for _, some := range p.Methods {
		for name, handler := range some {
			if methods[name] != nil {
				return nil, fmt.Errorf("the RPC method %q is provided twice", name)
			}
			methods[name] = handler
		}
	}
	return jsonrpc.New(jsonrpc.Config{Listen: p.Settings.Listen, Disabled: p.Settings.Disabled, Log: named(p.Log)}, methods)
}

func named(log *zap.Logger) *zap.Logger {
	if log == nil {
		return zap.NewNop()
	}
	return log.Named("rpc")
}

// starter holds the place of the server in the order of the start. Hooks start
// in the order in which they are appended and stop in the opposite one; the
// server's methods need the node, whose hook would so come first.
type starter struct {
	server *jsonrpc.Server
	log    *zap.Logger
}

// StarterParams is what the place of the server needs.
type StarterParams struct {
	fx.In

	Lifecycle fx.Lifecycle
	Settings  Settings
	Log       *zap.Logger `optional:"true"`
}

func newStarter(p StarterParams) *starter {
	s := &starter{log: named(p.Log)}
	p.Lifecycle.Append(fx.Hook{
		OnStart: func(ctx context.Context) error {
			s.log.Info("Starting JSON-RPC server on port " + p.Settings.Listen.Redacted())
			if err := s.server.Start(ctx); err != nil {
				return &ListenError{err}
			}
			if bound := s.server.Addr(); bound != p.Settings.Listen { // it asked for any free port
				s.log.Info("Listening", zap.String("addr", bound.Redacted()))
			}
			return nil
		},
		// For a start that fails behind this one; else the server is stopped already.
		OnStop: s.stop,
	})
	return s
}

// stop gives the server half of the time that is left: a method that does not
// return must not use up the network's.
func (s *starter) stop(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	return s.server.Stop(ctx)
}

// ServeParams is what Serve needs. The starter comes first, so that its hook does.
type ServeParams struct {
	fx.In

	Starter   *starter
	Server    *jsonrpc.Server
	Lifecycle fx.Lifecycle
}

// Serve runs the server with the application.
func Serve(p ServeParams) {
	p.Starter.server = p.Server
	p.Lifecycle.Append(fx.Hook{OnStop: func(ctx context.Context) error {
		p.Starter.log.Info("Stopping JSON-RPC server")
		return p.Starter.stop(ctx)
	}})
}
