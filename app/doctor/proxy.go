package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

// proxyWords says what is wrong with the proxy that an address is dialled through.
// Reached tells whether something listens there.
func (e *examination) proxyWords(f *finding, err error, reached bool) fault {
	why := fault{detail: withoutAddr(err).Error()}
	program, where := e.proxyOf(f)
	if reached {
		why.advice = fmt.Sprintf("Correct %s: it has to be the SOCKS5 port of %s. If that wants a user, write socks5://user:password@host:port there.", where, program)
		return why
	}
	why.advice = fmt.Sprintf("Start %s, or correct %s.", program, where)
	return why
}

// proxyOf names the proxy that an endpoint is dialled through, and where it is
// configured.
func (e *examination) proxyOf(f *finding) (program, where string) {
	switch base := strings.TrimSuffix(f.endpoint.Scheme(), "+tls"); {
	case base == addr.Tor:
		return "tor (it listens at 127.0.0.1:9050 unless told otherwise)", "net.tor_socks5_proxy"
	case base == addr.I2P:
		return "the I2P router with its SOCKS5 proxy (at 127.0.0.1:4447 unless told otherwise)", "net.i2p_socks5_proxy"
	case f.mixed && f.endpoint.HostPort() == e.Settings.TorSocks5Proxy.HostPort():
		return "tor (it listens at 127.0.0.1:9050 unless told otherwise)", "net.tor_socks5_proxy"
	case f.mixed:
		return "the Nym SOCKS5 client", "net.nym_socks5_proxy"
	}
	return "the proxy", "the host and port of the proxy in the address"
}

// wordsBeyond says why a proxy that does its part did not get to an address.
func (e *examination) wordsBeyond(f *finding, err error, took time.Duration) fault {
	if errors.Is(err, context.Canceled) {
		return e.words(f, err, took)
	}
	why := fault{withoutAddr(err).Error(), "Nobody is there, or the proxy has no way to it. " + otherwise(f)}
	through, _ := f.endpoint.Destination() // the zero address where the endpoint is one
	network := addr.Overlay(through.Hostname())
	switch base := strings.TrimSuffix(f.endpoint.Scheme(), "+tls"); {
	case base == addr.Tor || network == "Tor":
		why.advice = `Nobody is there, or tor is not connected itself: then its log has no "Bootstrapped 100%". The first connection may take a minute: try again. ` + otherwise(f)
	case base == addr.I2P || network == "I2P":
		why.advice = "Nobody is there, or the I2P router is not ready, which takes it some minutes: try again. " + otherwise(f)
	}
	return why
}

// withoutAddr is the error without the address that was dialled, which is said already.
func withoutAddr(err error) error {
	if at := (*transport.Error)(nil); errors.As(err, &at) {
		return at.Err
	}
	return err
}
