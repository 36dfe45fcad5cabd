package chat_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/transport/sockstest"
)

// asProxy is set in the environment of a process that is to be a SOCKS5 proxy and nothing else.
const asProxy = "DCHAT_TEST_AS_PROXY"

// TestMain runs the tests; or a proxy for a benchmark that does not want to count what
// that takes, until its standard input ends.
func TestMain(m *testing.M) {
	if os.Getenv(asProxy) == "" {
		goleak.VerifyTestMain(m)
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(l.Addr())
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	sockstest.New(nil).Serve(ctx, l)
}

// startProxy runs a proxy in a process of its own and returns its host:port.
func startProxy(b *testing.B) string {
	b.Helper()
	proxy := exec.Command(os.Args[0])
	proxy.Env = append(os.Environ(), asProxy+"=1")
	proxy.Stderr = os.Stderr
	in, inErr := proxy.StdinPipe()
	out, outErr := proxy.StdoutPipe()
	if err := proxy.Start(); inErr != nil || outErr != nil || err != nil {
		b.Fatal(inErr, outErr, err)
	}
	b.Cleanup(func() {
		_ = in.Close() // which ends it
		if err := proxy.Wait(); err != nil {
			b.Error("the proxy: ", err)
		}
	})
	endpoint, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(endpoint)
}

// schemes are those that nodes can be connected over on one machine.
var schemes = []string{"tcp", "tcp+tls", "quic", "unix", "socks5", "socks5+tls"}

// way is how nodes reach a listener over one scheme.
type way struct {
	scheme string
	listen addr.Addr
	proxy  string // host:port; empty where none is needed
}

func newWay(b *testing.B, scheme string) way {
	switch under, proxied := strings.CutPrefix(scheme, "socks5"); {
	case proxied:
		return way{scheme, addr.MustParse("tcp" + under + "://127.0.0.1:0"), startProxy(b)}
	case scheme == addr.Unix:
		return way{scheme, addr.MustParse("unix://" + filepath.Join(b.TempDir(), "s")), ""}
	}
	return way{scheme, addr.MustParse(scheme + "://127.0.0.1:0"), ""}
}

// listening changes settings to those of the listener.
func (w way) listening(s *p2p.Settings) { s.Inbound = []addr.Addr{w.listen} }

// dialling changes settings to those of a node that dials so.
func (w way) dialling(s *p2p.Settings) {
	s.ActiveProfiles = []string{w.scheme}
	s.Profiles = map[string]p2p.Profile{w.scheme: p2p.DefaultProfile(w.scheme)}
}

// aliases are so many addresses from the first on that all lead to the listener, so that each is a peer.
func (w way) aliases(listener *p2p.P2p, first, n int) (all []addr.Addr) {
	to := listener.Addrs()[0]
	port, _ := to.Port()
	for i := first; i < first+n; i++ {
		alias := fmt.Sprintf("%v?%d", to, i)
		if w.proxy != "" { // it takes every name for this machine
			alias = fmt.Sprintf("%s://%s/peer%d.example:%d", w.scheme, w.proxy, i, port)
		}
		all = append(all, addr.MustParse(alias))
	}
	return all
}
