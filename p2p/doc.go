// Package p2p is a peer-to-peer network library that speaks DarkFi's net
// protocol.
//
// A P2p is made from Settings and does nothing until Start: then it listens,
// connects, and keeps the connections it is to keep, until Stop. An application
// registers the protocols it speaks with Register before Start, and sends with
// Broadcast.
//
// The packages below are its parts, each usable by itself: addr holds addresses,
// wire the encoding, transport the ways to move bytes, channel one connection,
// protocol the conversations, session who is connected to, hosts what is known
// of others. Nothing here needs a dependency-injection framework.
package p2p
