package p2p_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/p2ptest"
	"dchat/p2p/portmap"
	"dchat/p2p/wire"
)

// mapsPorts is a router that maps every port to the same one outside.
type mapsPorts struct {
	after time.Duration // it takes so long
	has   map[portmap.Port]bool
}

func (*mapsPorts) String() string { return "a router" }

func (*mapsPorts) Local() netip.Addr { return netip.MustParseAddr("192.168.1.7") }

func (r *mapsPorts) Map(_ context.Context, port portmap.Port, external uint16, lease time.Duration) (portmap.Mapping, error) {
	<-time.After(r.after)
	r.has[port] = true
	return portmap.Mapping{Port: port, External: external, Lease: lease}, nil
}

func (r *mapsPorts) Unmap(_ context.Context, m portmap.Mapping) error {
	delete(r.has, m.Port)
	return nil
}

func (r *mapsPorts) Look(context.Context, []portmap.Mapping) (netip.Addr, error) {
	return netip.MustParseAddr("51.1.2.3"), nil
}

// behind makes nodes be behind a router.
func behind(r *mapsPorts) []p2p.Option {
	return []p2p.Option{p2p.WithGateways(func(context.Context) ([]portmap.Gateway, error) { return []portmap.Gateway{r}, nil })}
}

func texts(addrs []addr.Addr) (list []string) {
	for _, a := range addrs {
		list = append(list, a.String())
	}
	return list
}

const (
	mappedPort = "tcp://51.1.2.3:9000/"
	everywhere = "tcp://0.0.0.0:9000/"
)

func TestAMappedPortIsToldAfterTheConfiguredAddresses(t *testing.T) {
	for _, c := range []struct {
		name       string
		on         bool
		configured int
		last       string // of the configured ones; nothing: as the others
		want       int
		mapped     bool
	}{
		{"off", false, 1, "", 1, false},
		{"alone", true, 0, "", 1, true},
		{"with others", true, 2, "", 3, true},
		{"the tenth", true, 9, "", 10, true},
		{"no room", true, 10, "", 10, false},
		{"configured too", true, 2, mappedPort, 2, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &mapsPorts{has: map[portmap.Port]bool{}}
				n := newNodeWith(t, memory(), behind(r), func(s *p2p.Settings) {
					s.PortMapping = c.on
					s.Inbound = []addr.Addr{addr.MustParse(everywhere)}
					for i := range c.configured {
						s.ExternalAddrs = append(s.ExternalAddrs, addr.MustParse(fmt.Sprintf("tcp://example.org:%d", i+1)))
					}
					if c.last != "" {
						s.ExternalAddrs[c.configured-1] = addr.MustParse(c.last)
					}
				})
				n.start()
				synctest.Wait()
				if (len(r.has) == 1) != c.on || slices.Equal(texts(n.MappedAddrs()), []string{mappedPort}) != c.on {
					t.Errorf("the router maps %v, which the node gives as %v", r.has, n.MappedAddrs())
				}
				told := texts(n.dial().Handshake().ExtSendAddr)
				if len(told) != c.want || slices.Contains(told, mappedPort) != c.mapped {
					t.Errorf("the node says that it is %v", told)
				}
				n.stop()
				if len(r.has) > 0 || n.MappedAddrs() != nil {
					t.Errorf("after the stop the router maps %v, which the node gives as %v", r.has, n.MappedAddrs())
				}
			})
		})
	}
}

// TestAPortThatIsMappedLateIsToldToThoseWhoAreConnected, when we found them by their
// addresses, and to the seeds, and to nobody else.
func TestAPortThatIsMappedLateIsToldToThoseWhoAreConnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		found, seed := listen(t, set), listen(t, set)
		r := &mapsPorts{after: 3 * time.Second, has: map[portmap.Port]bool{}}
		n := newNodeWith(t, set, behind(r), func(s *p2p.Settings) {
			s.PortMapping, s.OutboundConnections = true, 1
			s.Inbound = []addr.Addr{addr.MustParse(everywhere)}
			s.Seeds = []addr.Addr{seed.Addr()}
		})
		n.start()
		first, _ := asked(t, seed)
		first.Send(&wire.Addrs{Entries: []wire.Entry{{Addr: found.Addr(), LastSeen: uint64(time.Now().Unix())}}})
		first.Closed()
		peer := p2ptest.Accept(t, found)
		if told := peer.Greet().ExtSendAddr; len(told) != 0 {
			t.Fatalf("the node is mapped too early: %v", told)
		}
		guest := n.greeted()
		recordings := []*p2ptest.Recording{peer.Record(), guest.Record()}
		<-time.After(r.after)
		if told := texts(p2ptest.Accept(t, seed).Handshake().ExtSendAddr); !slices.Equal(told, []string{mappedPort}) {
			t.Errorf("the seed is told %v", told)
		}
		synctest.Wait()
		for i, want := range []bool{true, false} {
			got := slices.ContainsFunc(recordings[i].Messages(), func(m p2ptest.Recorded) bool {
				var told wire.Addrs
				return m.Command == wire.CommandAddr && told.Decode(m.Payload) == nil && len(told.Entries) == 1 && told.Entries[0].Addr.String() == mappedPort
			})
			if got != want {
				t.Errorf("told %v, want %v: %v", got, want, recordings[i].Messages())
			}
		}
	})
}
