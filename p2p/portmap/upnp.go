package portmap

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/huin/goupnp/soap"
)

// upnp is a gateway that speaks UPnP: the service of a router that has its connection
// to the internet.
type upnp struct {
	gateway, local netip.Addr
	service        string // its type
	soap           *soap.SOAPClient
}

// description is the name of our mappings in the router.
const description = "dchat"

// mostPorts is how many external ports are tried, each when the one before is taken.
const mostPorts = 5

var errTaken = errors.New("the external port is somebody else's")

// String names the protocol and the gateway.
func (u *upnp) String() string { return "UPnP " + u.gateway.String() }

// Local is the address that the requests come from.
func (u *upnp) Local() netip.Addr { return u.local }

// Map maps a port, or renews its mapping: at the external port that is wished for, or
// at another one when that is taken.
func (u *upnp) Map(ctx context.Context, port Port, external uint16, lease time.Duration) (Mapping, error) {
	m := Mapping{port, external, lease}
	for range mostPorts {
		err := u.add(ctx, &m)
		if !errors.Is(err, errTaken) {
			return m, err
		}
		const lowest = 1024
		m.External = uint16(lowest + rand.N(1<<16-lowest))
	}
	return m, errTaken
}

// add makes a mapping, one without an end where the router can do no other.
func (u *upnp) add(ctx context.Context, m *Mapping) error {
	// Some routers give the port of one machine to the next that asks for it.
	who, err := u.holder(ctx, *m)
	if err != nil {
		return err
	}
	if who == somebody {
		return errTaken
	}
	err = u.request(ctx, *m)
	if isFault(err, onlyPermanent) {
		m.Lease = 0
		err = u.request(ctx, *m)
	}
	if isFault(err, conflict) {
		return errTaken
	}
	return err
}

func (u *upnp) request(ctx context.Context, m Mapping) error {
	return u.call(ctx, "AddPortMapping", &struct {
		NewRemoteHost, NewExternalPort, NewProtocol, NewInternalPort, NewInternalClient,
		NewEnabled, NewPortMappingDescription, NewLeaseDuration string
	}{
		"", number(m.External), protocol(m), number(m.Number), u.local.String(),
		"1", description, strconv.Itoa(int(m.Lease / time.Second)),
	}, nil)
}

// Unmap removes a mapping.
func (u *upnp) Unmap(ctx context.Context, m Mapping) error {
	err := u.call(ctx, "DeletePortMapping", &struct{ NewRemoteHost, NewExternalPort, NewProtocol string }{"", number(m.External), protocol(m)}, nil)
	if isFault(err, noSuchEntry) {
		return nil
	}
	return err
}

// Look asks for the address outside, and whether the mappings are there and ours.
func (u *upnp) Look(ctx context.Context, held []Mapping) (netip.Addr, error) {
	ip, err := u.outside(ctx)
	if err != nil {
		return netip.Addr{}, err
	}
	for _, m := range held {
		who, err := u.holder(ctx, m)
		if err != nil {
			return netip.Addr{}, err
		}
		if who == nobody || who == somebody {
			return ip, ErrForgotten
		}
	}
	return ip, nil
}

// outside returns the router's address outside, zero when it has none.
func (u *upnp) outside(ctx context.Context) (netip.Addr, error) {
	var answer struct{ NewExternalIPAddress string }
	if err := u.call(ctx, "GetExternalIPAddress", nil, &answer); err != nil {
		return netip.Addr{}, err
	}
	ip, err := netip.ParseAddr(strings.TrimSpace(answer.NewExternalIPAddress))
	if err != nil {
		return netip.Addr{}, nil //nolint:nilerr // what is no address is none
	}
	return ip.Unmap(), nil
}

// who has an external port.
type who int

const (
	unknown who = iota // the router does not say
	nobody
	us
	somebody
)

// holder asks who has the external port of a mapping.
func (u *upnp) holder(ctx context.Context, m Mapping) (who, error) {
	var entry struct{ NewInternalPort, NewInternalClient string }
	err := u.call(ctx, "GetSpecificPortMappingEntry", &struct{ NewRemoteHost, NewExternalPort, NewProtocol string }{"", number(m.External), protocol(m)}, &entry)
	switch {
	case isFault(err, noSuchEntry):
		return nobody, nil
	case isFault(err, 0):
		return unknown, nil
	case err != nil:
		return unknown, err
	case strings.TrimSpace(entry.NewInternalClient) == u.local.String() && strings.TrimSpace(entry.NewInternalPort) == number(m.Number):
		return us, nil
	}
	return somebody, nil
}

func number(port uint16) string { return strconv.Itoa(int(port)) }

func protocol(m Mapping) string { return strings.ToUpper(string(m.Protocol)) }

// fault is what a router answers when it does not do what it is asked for.
type fault struct {
	action string
	code   int
	text   string
}

// The codes of faults that are not simply refusals.
const (
	noSuchEntry   = 714
	conflict      = 718
	onlyPermanent = 725
)

// Error tells what the router said, which may be anything.
func (f *fault) Error() string {
	return fmt.Sprintf("the router answers %s with fault %d (%s)", f.action, f.code, brief(f.text))
}

// isFault tells whether err is a fault with a code, or with any when that is 0.
func isFault(err error, code int) bool {
	var f *fault
	return errors.As(err, &f) && (code == 0 || f.code == code)
}

// brief makes what a stranger wrote fit into a message.
func brief(text string) string {
	const most = 100
	return fmt.Sprintf("%.*q", most, text)
}

// call asks for an action of the service; in and out point to structs of texts.
func (u *upnp) call(ctx context.Context, action string, in, out any) error {
	err := u.soap.PerformActionCtx(ctx, u.service, action, in, out)
	var f *soap.SOAPFaultError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &f):
		return &fault{action, f.Detail.UPnPError.Errorcode, f.Detail.UPnPError.ErrorDescription}
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", action, ctx.Err())
	}
	return fmt.Errorf("%s: %s", action, brief(err.Error()))
}
