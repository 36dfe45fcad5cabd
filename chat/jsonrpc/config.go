package jsonrpc

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"dchat/p2p/addr"
)

// Config is what a server is made from. Zero values of the limits mean the defaults.
type Config struct {
	Listen   addr.Addr // tcp://, unix:// or http+tcp://; port 0 is any free port
	Disabled []string  // methods to answer as if they did not exist

	// MaxLine is the longest request in bytes, its line end not counted. Of those longer than 1 MiB
	// two are read and run at a time, whoever sends them. Default 16 MiB - 1.
	MaxLine int
	// MaxConns is how many clients may be connected; one more is told so and closed. Default 64.
	MaxConns int
	// WriteTimeout is how long a client may take to accept 64 KiB before it is cut off. Default 10
	// s.
	WriteTimeout time.Duration

	Log *zap.Logger // default: no log
}

// The fixed limits, of a connection unless said otherwise.
const (
	maxStreams    = 16               // subscriptions at a time
	maxHuge       = 2                // requests beyond hugeLine at a time, of all connections
	largeTimeout  = 30 * time.Second // for the rest of a large line; HTTP: for a whole request
	drainTimeout  = 10 * time.Second // for each request run after its client closed its sending side
	lingerTime    = time.Second      // for a last reply to be read, after a refusal and at Stop
	headerTimeout = 10 * time.Second // HTTP: for the header
	idleTimeout   = 2 * time.Minute  // HTTP: between two requests of a connection
	maxHeader     = 16 << 10         // HTTP: bytes of header
)

func (c Config) withDefaults() (Config, error) {
	switch c.Listen.Scheme() {
	case addr.TCP, addr.Unix, addr.HTTPTCP:
	default:
		return c, fmt.Errorf("cannot listen on %s: want tcp://, unix:// or http+tcp://", c.Listen.Redacted())
	}
	if c.MaxLine < 0 || c.MaxConns < 0 || c.WriteTimeout < 0 {
		return c, errors.New("a limit is negative")
	}
	c.MaxLine = cmp.Or(c.MaxLine, 16<<20-1)
	c.MaxConns = cmp.Or(c.MaxConns, 64)
	c.WriteTimeout = cmp.Or(c.WriteTimeout, 10*time.Second)
	c.Log = cmp.Or(c.Log, zap.NewNop())
	return c, nil
}
