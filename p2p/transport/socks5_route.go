package transport

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/net/proxy"

	"dchat/p2p/addr"
)

// ErrDestination is the fault of an address that no proxy could make anything of.
var ErrDestination = errors.New("the destination is malformed")

const (
	howProxied = "write it as socks5://proxy:port/destination:port"
	howProxy   = "write a proxy as socks5://[user:password@]host:port"

	// mostInSocks is the longest name, user or password, in bytes, that SOCKS5 can carry.
	mostInSocks = 255
)

// CheckAddr says what is wrong with an address that is dialled through a proxy, of
// the schemes socks5, tor and i2p with or without +tls; nil for all others. It looks at
// nothing but the address.
func CheckAddr(a addr.Addr) error {
	switch a.Scheme() {
	case addr.Socks5, addr.Socks5TLS:
		_, err := (&Socks5{}).route(a)
		return err
	case addr.Tor, addr.TorTLS, addr.I2P, addr.I2PTLS:
		return checkDestination(a.Scheme(), a)
	}
	return nil
}

// CheckProxy says what is wrong with the address of a proxy, as Socks5.Proxy and
// Options have it. It looks at nothing but the address.
func CheckProxy(a addr.Addr) error {
	if port, _ := a.Port(); port == 0 || a.Scheme() != addr.Socks5 || a.Path() != "/" || strings.ContainsAny(a.String(), "?#") {
		return errors.New(howProxy)
	}
	_, err := userOf(a)
	return err
}

// route is the way to a destination.
type route struct {
	proxy       addr.Addr   // tcp://host:port/
	auth        *proxy.Auth // nil: nobody in particular asks
	destination addr.Addr
}

// route finds the way that an address describes, and refuses what is no way.
func (t *Socks5) route(a addr.Addr) (*route, error) {
	server, destination := t.Proxy, a
	if server.IsZero() {
		var ok bool
		if destination, ok = a.Destination(); !ok {
			return nil, fmt.Errorf("%w: %s", ErrDestination, howProxied)
		}
		server = a
		if _, ok := a.Port(); !ok {
			return nil, fmt.Errorf("%w: %s", ErrNoPort, howProxied)
		}
	} else if err := CheckProxy(server); err != nil {
		return nil, err
	}
	if err := checkDestination(a.Scheme(), destination); err != nil {
		return nil, err
	}
	auth, err := userOf(server)
	if err != nil {
		return nil, err
	}
	if auth == nil && !t.Isolate.IsZero() && t.Isolate.HostPort() == server.HostPort() {
		auth = t.users.of(destination.HostPort())
	}
	endpoint, err := addr.Parse(addr.TCP + "://" + server.HostPort())
	return &route{endpoint, auth, destination}, err
}

// checkDestination says why a proxy is not to be asked for a destination; nil when it
// may be. A misspelt name of Tor's or I2P's would only show to others what was looked
// for.
func checkDestination(scheme string, a addr.Addr) error {
	if ip, ok := a.IP(); ok && ip.Is4In6() {
		return ErrIPv4Mapped
	}
	port, hasPort := a.Port()
	host := a.Hostname()
	network := addr.Overlay(host)
	var reason string
	switch {
	case !hasPort:
		return ErrNoPort
	case port == 0:
		reason = "nobody has port 0"
	case len(host) > mostInSocks:
		reason = "the name is longer than 255 bytes"
	case network == "Tor" && !addr.IsOnion(host):
		reason = "a version 3 onion name has 56 letters and digits before .onion, among them a checksum"
	case network == "I2P" && (scheme == addr.Tor || scheme == addr.TorTLS):
		reason = "Tor does not find names in .i2p, and would show to others what was looked for: write i2p://"
	case (network == "I2P" || scheme == addr.I2P || scheme == addr.I2PTLS) && !addr.IsI2P(host):
		reason = "a host of I2P is a name in .i2p, or has 52 letters and digits before .b32.i2p"
	default:
		return nil
	}
	return fmt.Errorf("%w: %s", ErrDestination, reason)
}

// userOf is the user in a proxy's address; nil when there is none.
func userOf(a addr.Addr) (*proxy.Auth, error) {
	user, password := a.Userinfo()
	switch {
	case user == "" && password == "":
		return nil, nil
	case user == "":
		return nil, errors.New("the proxy's address has a password and no user name")
	case len(user) > mostInSocks || len(password) > mostInSocks:
		return nil, errors.New("the user name or the password of the proxy is longer than 255 bytes")
	}
	return &proxy.Auth{User: user, Password: password}, nil
}

// users makes up users. The zero value is ready for use.
type users struct {
	once sync.Once
	key  [32]byte
}

// of is the user for a destination. Without the key nobody can tell for which.
func (u *users) of(destination string) *proxy.Auth {
	u.once.Do(func() { _, _ = rand.Read(u.key[:]) }) // it never fails
	mac := hmac.New(sha256.New, u.key[:])
	_, _ = mac.Write([]byte(destination)) // it never fails
	sum := hex.EncodeToString(mac.Sum(nil))
	return &proxy.Auth{User: sum[:32], Password: sum[32:]}
}
