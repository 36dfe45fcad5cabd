package portmap

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// ssdpGroup is where devices listen for who looks for them.
var ssdpGroup = netip.MustParseAddrPort("239.255.255.250:1900")

// The kinds of routers that are looked for. The later one answers to the earlier name
// too, or should.
var deviceTypes = [...]string{
	"urn:schemas-upnp-org:device:InternetGatewayDevice:1",
	"urn:schemas-upnp-org:device:InternetGatewayDevice:2",
}

const (
	// answerTime is how long answers are waited for. Devices are told to take a second.
	answerTime = 1500 * time.Millisecond
	// Of so many datagrams of who is believed, of so many bytes each, so many places to
	// go on are taken.
	mostAnswers   = 64
	mostAnswer    = 2048
	mostLocations = 4
)

// locations asks the network for routers, and returns where those that may be believed
// have their descriptions. The library's own search has no bound on how much it takes,
// does not tell who answered, and logs what it does not understand.
func (n network) locations(ctx context.Context, group netip.AddrPort) ([]*url.URL, error) {
	conn, err := (&net.ListenConfig{}).ListenPacket(ctx, "udp4", netip.AddrPortFrom(n.local, 0).String())
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(answerTime)); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	for range 2 { // datagrams get lost
		for _, device := range deviceTypes {
			if _, err := conn.WriteTo(question(device, group), net.UDPAddrFromAddrPort(group)); err != nil {
				return nil, cmp.Or(ctx.Err(), err)
			}
		}
	}
	return n.collect(conn), ctx.Err()
}

// question is what asks for devices of a type.
func question(device string, group netip.AddrPort) []byte {
	return []byte("M-SEARCH * HTTP/1.1\r\nHOST: " + group.String() + "\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: " + device + "\r\n\r\n")
}

// collect reads answers until the deadline, or until there were enough.
func (n network) collect(conn net.PacketConn) []*url.URL {
	var found []*url.URL
	buf := make([]byte, mostAnswer)
	for taken := 0; taken < mostAnswers; {
		size, from, err := conn.ReadFrom(buf)
		if err != nil {
			break
		}
		sender, err := netip.ParseAddrPort(from.String())
		if err != nil || !n.believes(sender.Addr().Unmap()) {
			continue // however many others send, the router is heard until the deadline
		}
		taken++
		location := parseAnswer(buf[:size], sender.Addr().Unmap())
		known := func(u *url.URL) bool { return *u == *location }
		if location != nil && !slices.ContainsFunc(found, known) && len(found) < mostLocations {
			found = append(found, location)
		}
	}
	return found
}

// parseAnswer returns the place of the description that a router tells, nil when it is
// none or not at the router.
func parseAnswer(packet []byte, from netip.Addr) *url.URL {
	answer, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(packet)), nil)
	if err != nil {
		return nil
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK || !strings.Contains(answer.Header.Get("St"), ":InternetGatewayDevice:") {
		return nil
	}
	location, err := url.Parse(answer.Header.Get("Location"))
	if err != nil || !isAt(location, from) {
		return nil
	}
	return location
}

// isAt tells whether a URL leads to a machine over HTTP: as its address, since names
// would be somebody else's word, and without a user.
func isAt(u *url.URL, machine netip.Addr) bool {
	ip, err := netip.ParseAddr(u.Hostname())
	return err == nil && ip == machine && u.Scheme == "http" && u.User == nil
}
