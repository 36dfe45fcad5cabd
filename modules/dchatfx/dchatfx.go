// Package dchatfx puts the chat into an fx application.
//
// It provides *chat.Dchat and needs *p2p.P2p and chat.Settings. It adds the chat
// protocol to the group "protocols", and the methods of the chat and of its node
// to the group "rpc methods"; where nothing consumes a group, nothing comes of it.
//
// To swap it, fx.Replace chat.Settings for another size of history, or *chat.Dchat
// for another chat.
//
// It adds the protocol to every node of the application. For a chat on one of
// several nodes (see p2pfx.Named) provide chat.Join of that node instead:
//
//	fx.Provide(fx.Annotate(chat.Join, fx.ParamTags(`name:"lobby"`)))
package dchatfx

import (
	"go.uber.org/fx"

	"dchat/chat"
	"dchat/chat/rpc"
	"dchat/p2p"
	"dchat/p2p/protocol"
)

// Module provides *chat.Dchat.
var Module = fx.Module("dchat",
	fx.Provide(
		fx.Private, chat.NewHistory,
	),
	fx.Provide(
		chat.New,
		fx.Annotate(registration, fx.ResultTags(`group:"protocols"`)),
		fx.Annotate(rpc.ChatMethods, fx.ResultTags(`group:"rpc methods"`)),
		fx.Annotate(nodeMethods, fx.ResultTags(`group:"rpc methods"`)),
	),
)

// registration depends on the history and not on the chat: the node is made of
// its protocols, and the chat of the node.
func registration(h *chat.History) protocol.Registration { return chat.Protocol(h) }

func nodeMethods(node *p2p.P2p) rpc.Methods { return rpc.NodeMethods(node) }
