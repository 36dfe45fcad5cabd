// Package rpc holds the JSON-RPC methods of a node and of the chat on it.
//
// Those without a dot, p2p.get_info and dnet.* are what existing tools know;
// chat.*, p2p.peers, p2p.slots and p2p.bans say more, and p2p.unban lifts a ban.
package rpc
