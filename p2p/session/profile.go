package session

import "time"

// Profile holds the time limits of one scheme.
type Profile struct {
	// ConnectTimeout bounds a dial from name lookup to the end of the TLS
	// handshake, and the wait for the answer to a ping.
	ConnectTimeout time.Duration
	// HandshakeTimeout bounds the exchange of version and verack.
	HandshakeTimeout time.Duration
	// HeartbeatInterval is the time from one answered ping to the next.
	HeartbeatInterval time.Duration
}

// DefaultProfile returns the limits of the fast networks: 15 s, 10 s and 30 s.
func DefaultProfile() Profile {
	return Profile{ConnectTimeout: 15 * time.Second, HandshakeTimeout: 10 * time.Second, HeartbeatInterval: 30 * time.Second}
}
