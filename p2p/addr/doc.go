// Package addr has the one type for a node's address: URL text in normal form, as it is
// written on the wire and compared everywhere. Nothing else in the program takes a URL apart.
//
// Normal form is that of the WHATWG URL standard, with the schemes of this network that name a
// host and a port over TCP (tcp, tor, nym, socks5 and each with +tls) treated like http: host in
// lower case and in ASCII, IPv4 in dotted decimal, and a path that is never empty. Every other
// scheme (quic, i2p, unix and so on) keeps its host as written and may have an empty path. So
// tcp://Host:1 and tcp://host:1/ are one address, while quic://Host:1, quic://host:1 and
// quic://host:1/ are three.
//
// The package does no I/O, resolves no names and starts no goroutine.
package addr
