package portmap

import (
	"net"
	"net/netip"
	"os"
	"testing"
)

// crowd is a socket at which datagrams of many have arrived.
type crowd struct {
	net.PacketConn
	from []string
}

func (c *crowd) ReadFrom(b []byte) (int, net.Addr, error) {
	if len(c.from) == 0 {
		return 0, nil, os.ErrDeadlineExceeded
	}
	from := c.from[0]
	c.from = c.from[1:]
	n := copy(b, answerOf("http://"+from+":1/"+string(rune('a'+len(c.from)%26))))
	return n, net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 1900)), nil
}

func TestStrangersDoNotDrownTheRouter(t *testing.T) {
	const router, stranger = "192.168.1.1", "192.168.1.66"
	n := network{local: netip.MustParseAddr("192.168.1.7"), gateway: netip.MustParseAddr(router)}
	c := &crowd{}
	for range 10 * mostAnswers {
		c.from = append(c.from, stranger)
	}
	c.from = append(c.from, router)
	if found := n.collect(c); len(found) != 1 || found[0].Hostname() != router {
		t.Errorf("found %v", found)
	}
}

func TestARouterIsNotHeardForEver(t *testing.T) {
	const router = "192.168.1.1"
	n := network{local: netip.MustParseAddr("192.168.1.7"), gateway: netip.MustParseAddr(router)}
	c := &crowd{}
	for range 10 * mostAnswers {
		c.from = append(c.from, router)
	}
	found := n.collect(c)
	if read := 10*mostAnswers - len(c.from); read != mostAnswers || len(found) != mostLocations {
		t.Errorf("read %d datagrams and found %d places, want %d and %d", read, len(found), mostAnswers, mostLocations)
	}
}
