// Package rpc holds the JSON-RPC methods of a node and of the chat on it.
//
// Those without a dot, p2p.get_info and dnet.* are what existing tools know;
// chat.* and p2p.peers say more.
package rpc
