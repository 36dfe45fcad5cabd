// Package transport is how bytes travel between nodes: TCP and unix sockets, QUIC,
// SOCKS5 proxies with Tor and I2P behind them, TLS over what is not encrypted, and an
// in-memory network for tests and for several nodes in one process.
//
// A [Transport] dials and listens for one or more schemes of address, and a
// [Set] says which scheme is whose. A [Conn] is a stream of bytes; what they
// mean is decided above.
//
// An error of dialling, listening or a handshake is an [*Error] that names the
// address; what it wraps can be told apart with errors.Is:
// syscall.ECONNREFUSED, syscall.EADDRINUSE, context.DeadlineExceeded and so on.
package transport
