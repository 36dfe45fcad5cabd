package addr_test

import (
	"testing"

	"dchat/p2p/addr"
)

func TestOverlayNamesTheNetworkThatFindsAHost(t *testing.T) {
	for host, want := range map[string]string{
		"x.onion": "Tor", "a.x.OnIon": "Tor", "x.onion.": "Tor", ".onion": "Tor",
		"x.i2p": "I2P", "X.B32.I2P..": "I2P",
		"": "", ".": "", "onion": "", "i2p": "", "xonion": "", "x.onion.example": "", "x.onion.to": "", "127.0.0.1": "", "::1": "",
	} {
		if got := addr.Overlay(host); got != want {
			t.Errorf("%q: %q, want %q", host, got, want)
		}
	}
}
