package portmap

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"

	"github.com/huin/goupnp"
	"github.com/huin/goupnp/soap"
)

// The services of a router that map ports, the best first. All have the same actions.
var serviceTypes = [...]string{
	"urn:schemas-upnp-org:service:WANIPConnection:2",
	"urn:schemas-upnp-org:service:WANIPConnection:1",
	"urn:schemas-upnp-org:service:WANPPPConnection:1",
}

var errNoService = errors.New("its description has no service that maps ports")

// findUPnP looks for a router that speaks UPnP: the first, of those that answer, which
// has a connection to the internet.
func (n network) findUPnP(ctx context.Context, ssdp netip.AddrPort) (*upnp, error) {
	locations, err := n.locations(ctx, ssdp)
	if err != nil {
		return nil, fmt.Errorf("UPnP: %w", err)
	}
	var asked sync.WaitGroup
	found, errs := make([]*upnp, len(locations)), make([]error, len(locations))
	for i, location := range locations {
		asked.Go(func() { found[i], errs[i] = connect(ctx, location, n.local) })
	}
	asked.Wait()
	for _, u := range found {
		if u != nil {
			return u, nil
		}
	}
	if len(locations) == 0 {
		errs = append(errs, errors.New("no router answers"))
	}
	return nil, fmt.Errorf("UPnP: %w", errors.Join(errs...))
}

// connect reads the description of a router and finds the service of it that has a
// connection to the internet.
func connect(ctx context.Context, location *url.URL, local netip.Addr) (*upnp, error) {
	router, err := netip.ParseAddr(location.Hostname())
	if err != nil {
		return nil, err
	}
	client := newClient(router, local)
	root, err := describe(ctx, client, location)
	if err != nil {
		return nil, fmt.Errorf("the description of %v: %s", router, brief(err.Error()))
	}
	failure := errNoService
	for _, service := range serviceTypes {
		for _, s := range root.Device.FindService(service) {
			if !isAt(&s.ControlURL.URL, router) {
				continue
			}
			u := &upnp{router, local, service, &soap.SOAPClient{EndpointURL: s.ControlURL.URL, HTTPClient: *client}}
			ip, err := u.outside(ctx)
			if err == nil && ip.IsValid() {
				return u, nil
			}
			failure = errors.Join(errors.New("it has no address outside"), err)
		}
	}
	return nil, fmt.Errorf("the router %v: %w", router, failure)
}

// describe reads a description. The library would read it with a client of the whole
// process, and to any length.
func describe(ctx context.Context, client *http.Client, location *url.URL) (*goupnp.RootDevice, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, location.String(), nil)
	if err != nil {
		return nil, err
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("HTTP status %d", answer.StatusCode)
	}
	root := &goupnp.RootDevice{}
	decoder := xml.NewDecoder(answer.Body)
	decoder.DefaultSpace = goupnp.DeviceXMLNamespace
	if err := decoder.Decode(root); err != nil {
		return nil, err
	}
	base, err := url.Parse(root.URLBaseStr)
	if err != nil || root.URLBaseStr == "" {
		base = location
	}
	root.SetURLBase(base)
	return root, nil
}

const (
	mostBody   = 64 << 10 // bytes of a description or an answer
	mostHeader = 8 << 10
)

// newClient makes a client that talks to one machine only, follows no redirection,
// knows no proxy and keeps no connection, and for which every answer ends in time.
func newClient(machine, local netip.Addr) *http.Client {
	dialer := &net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(local, 0))}
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: bounded{&http.Transport{
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				to, err := netip.ParseAddrPort(address)
				if err != nil || to.Addr() != machine {
					return nil, fmt.Errorf("%q is not the router", address)
				}
				return dialer.DialContext(ctx, network, address)
			},
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: mostHeader,
		}},
	}
}

// bounded ends the body of each answer after mostBody bytes.
type bounded struct{ http.RoundTripper }

// RoundTrip does one request.
func (b bounded) RoundTrip(request *http.Request) (*http.Response, error) {
	answer, err := b.RoundTripper.RoundTrip(request)
	if err == nil {
		answer.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(answer.Body, mostBody), answer.Body}
	}
	return answer, err
}
