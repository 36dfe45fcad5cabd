// Package protocol holds what nodes say to each other: the handshake, the
// heartbeat and the exchange of addresses, and the registry by which an
// application adds protocols of its own.
//
// A Registration says for which kinds of session a protocol is, and makes one for
// each channel. It subscribes to its commands when it is made, which is before the
// handshake; Start runs it after the handshake; it ends with the channel.
package protocol
