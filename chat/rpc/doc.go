// Package rpc holds the JSON-RPC methods of a node and of the chat on it.
//
// Those without a dot, p2p.get_info and dnet.* are what existing tools know. The
// others say more: of the texts (chat.*) and of the node (p2p.peers, p2p.slots,
// p2p.bans); p2p.unban lifts a ban, and p2p.reload applies a changed configuration.
package rpc
