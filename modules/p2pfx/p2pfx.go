// Package p2pfx puts a node into an fx application.
//
// It provides *p2p.P2p and needs p2p.Settings; a *zap.Logger and a transport.Set
// are used when there are any. The protocols in the value group "protocols" are
// registered, in no particular order, and the transports in the value group
// "transports", each a transport.Named, are added to those there are. OnStart and OnStop are the node's Start and
// Stop; both run only if something asks for the node. What the node cannot mend while it
// runs it reports by its Err: an application that is to end for it reads that, and calls
// fx.Shutdowner with an exit code.
//
// To swap it, replace what it needs or what it provides at the root of the
// application:
//
//	fx.Replace(settings)                                // another network
//	fx.Replace(transport.Set{"tcp": transport.NewMem()}) // no sockets; supply it where nothing provides one
//	fx.Replace(node)                                    // another node, without its hooks
package p2pfx

import (
	"fmt"

	"go.uber.org/fx"
	"go.uber.org/zap"

	"dchat/p2p"
	"dchat/p2p/protocol"
	"dchat/p2p/transport"
)

// Module provides *p2p.P2p.
var Module = fx.Module("p2p", fx.Provide(New))

// Params is what New needs.
type Params struct {
	fx.In

	Lifecycle  fx.Lifecycle
	Settings   p2p.Settings
	Protocols  []protocol.Registration `group:"protocols"`
	Transports transport.Set           `optional:"true"`
	More       []transport.Named       `group:"transports"`
	Log        *zap.Logger             `optional:"true"`
}

// New makes a node, registers the protocols and hooks the node to the
// application's start and stop.
func New(p Params) (*p2p.P2p, error) {
	var options []p2p.Option
	if p.Transports != nil {
		options = append(options, p2p.WithTransports(p.Transports))
	}
	for _, t := range p.More {
		options = append(options, p2p.WithTransport(t.Scheme, t.Transport))
	}
	if p.Log != nil {
		options = append(options, p2p.WithLogger(p.Log.Named("p2p")))
	}
	node, err := p2p.New(p.Settings, options...)
	if err != nil {
		return nil, err
	}
	for _, reg := range p.Protocols {
		if err := node.Register(reg); err != nil {
			return nil, err
		}
	}
	p.Lifecycle.Append(fx.Hook{OnStart: node.Start, OnStop: node.Stop})
	return node, nil
}

// Named puts one of several nodes into an application, each on a network of its
// own: it provides *p2p.P2p under that name. Its settings, and what else the
// options provide, belong in the module, as private values:
//
//	p2pfx.Named("lobby", fx.Supply(fx.Private, settings))
//
// Protocols for this node alone go into the options too, provided with
// fx.Private into the group; all others in the group are for every node. The
// unnamed node of Module may stand beside the named ones.
func Named(name string, options ...fx.Option) fx.Option {
	return fx.Module(name,
		fx.Options(options...),
		fx.Provide(fx.Private, New),
		fx.Provide(fx.Annotate(func(node *p2p.P2p) *p2p.P2p { return node }, fx.ResultTags(fmt.Sprintf("name:%q", name)))),
	)
}
