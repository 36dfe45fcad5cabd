package channel

import "dchat/p2p/transport"

// guarded is a channel's connection, whose panics are errors: a fault of a transport that
// one peer finds ends its own channel, and neither the node nor any other.
type guarded struct {
	transport.Conn
	c *Channel
}

// Read implements net.Conn.
func (g *guarded) Read(b []byte) (n int, err error) {
	defer g.c.recovered("", &err)
	return g.Conn.Read(b)
}

// Write implements net.Conn.
func (g *guarded) Write(b []byte) (n int, err error) {
	defer g.c.recovered("", &err)
	return g.Conn.Write(b)
}

// CloseWrite implements transport.Conn.
func (g *guarded) CloseWrite() (err error) {
	defer g.c.recovered("", &err)
	return g.Conn.CloseWrite()
}

// Close implements net.Conn.
func (g *guarded) Close() (err error) {
	defer g.c.recovered("", &err)
	return g.Conn.Close()
}
