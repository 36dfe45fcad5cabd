package addr

import (
	"bytes"
	"crypto/sha3"
	"encoding/base32"
	"strings"
)

var base32Text = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Overlay names the network that alone finds a host, "Tor" for names in .onion and "I2P" for those
// in .i2p, which a name server must not get to see; it is empty for all others.
func Overlay(host string) string {
	host = strings.ToLower(strings.TrimRight(host, "."))
	switch {
	case strings.HasSuffix(host, ".onion"):
		return "Tor"
	case strings.HasSuffix(host, ".i2p"):
		return "I2P"
	}
	return ""
}

// IsOnion tells whether host is the name of an onion service, version 3: a key of 32 bytes, a
// checksum of 2 and the version, in base 32 and lower case, before .onion.
func IsOnion(host string) bool {
	label, ok := strings.CutSuffix(host, ".onion")
	if !ok {
		return false
	}
	b, err := base32Text.DecodeString(label)
	if err != nil || len(b) != 35 || b[34] != 3 {
		return false
	}
	digest := sha3.Sum256(append([]byte(".onion checksum"), append(b[:32:32], 3)...))
	return bytes.Equal(digest[:2], b[32:34])
}

// IsI2P tells whether host is a name of I2P: letters, digits, hyphens and dots before .i2p, and
// before .b32.i2p 32 bytes in base 32.
func IsI2P(host string) bool {
	const may = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-."
	name, ok := strings.CutSuffix(host, ".i2p")
	if !ok || strings.Trim(name, may) != "" {
		return false
	}
	hash, ok := strings.CutSuffix(name, ".b32")
	if !ok {
		return true
	}
	key, err := base32Text.DecodeString(strings.ToLower(hash))
	return err == nil && len(key) == 32
}
