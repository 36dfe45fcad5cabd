package p2p_test

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

// TestBothFamiliesAreListenedOnSideBySide, on the same port, and neither takes the
// connections of the other.
func TestBothFamiliesAreListenedOnSideBySide(t *testing.T) {
	n, port := onBothFamilies(t)
	for _, host := range []string{"[::1]", "127.0.0.1"} {
		peer := startNode(t, transport.Default(), withPeers(addr.MustParse(fmt.Sprintf("tcp://%s:%d", host, port))))
		if got := n.channel().Addr().Host(); got != host {
			t.Errorf("who dialled %s is known as %s", host, got)
		}
		peer.channel()
	}
	eventually(t, "both are connected", func() bool { return len(n.Channels()) == 2 })
}

// onBothFamilies starts a node that listens on all addresses of both families, on a
// port that is free in both.
func onBothFamilies(t *testing.T) (n *node, port int) {
	t.Helper()
	for range 100 {
		six, err := net.Listen("tcp6", "[::1]:0")
		if err != nil {
			t.Skip("this machine has no IPv6: ", err)
		}
		port = six.Addr().(*net.TCPAddr).Port
		_ = six.Close() // nobody connected
		n = newNode(t, transport.Default(), func(s *p2p.Settings) {
			s.Inbound = []addr.Addr{addr.MustParse(fmt.Sprintf("tcp://[::]:%d", port)), addr.MustParse(fmt.Sprintf("tcp://0.0.0.0:%d", port))}
		})
		err = n.Start(t.Context())
		if errors.Is(err, syscall.EADDRINUSE) {
			continue // somebody else has it in one of them
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(n.stop)
		return n, port
	}
	t.Fatal("no port is free in both families, or they cannot have the same")
	return nil, 0
}
