//go:build unix

package p2p_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/channel"
	"dchat/p2p/hosts"
	"dchat/p2p/p2ptest"
	"dchat/p2p/session"
	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

// sockets are the unix sockets of this machine.
func sockets() transport.Set { return transport.Set{addr.Unix: transport.Unix{}} }

// newSocket is the address of a socket, short enough for one, where nothing stands.
func newSocket(t *testing.T) addr.Addr {
	t.Helper()
	dir, err := os.MkdirTemp("", "unix")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return addr.MustParse("unix://" + filepath.Join(dir, "s"))
}

// onSocket makes a node listen on a socket and on nothing else.
func onSocket(a addr.Addr) func(*p2p.Settings) {
	return func(s *p2p.Settings) { s.Inbound, s.ActiveProfiles = []addr.Addr{a}, []string{addr.Unix} }
}

// viaSocket makes a node connect to a peer on a socket, and listen nowhere.
func viaSocket(a addr.Addr) func(*p2p.Settings) {
	return func(s *p2p.Settings) {
		s.Inbound, s.Peers, s.ActiveProfiles = nil, []addr.Addr{a}, []string{addr.Unix}
	}
}

// leaveSocket leaves the file of a socket as a process does that is killed.
func leaveSocket(t *testing.T, a addr.Addr) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: a.Path(), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestUnixNodesTalk(t *testing.T) {
	a := newSocket(t)
	alice := startNode(t, sockets(), onSocket(a))
	peers := []*node{startNode(t, sockets(), viaSocket(a)), startNode(t, sockets(), viaSocket(addr.MustParse("unix:"+a.Path())))}
	eventually(t, "both are connected", func() bool { return len(alice.Channels()) == 2 })
	for _, ch := range alice.Channels() {
		if ch.Addr() != a || ch.Kind() != channel.Inbound {
			t.Errorf("a peer that has no address is known by %v, want that of the listener", ch.Addr())
		}
		if local, remote := ch.Sockets(); local.IsValid() || remote.IsValid() {
			t.Errorf("its ends are %v and %v, want none", local, remote)
		}
		if told := ch.Remote(); told.ConnectRecvAddr.Path() != a.Path() || told.ResolveRecvAddr != told.ConnectRecvAddr {
			t.Errorf("it says that it dialled %v, which is %v; want the socket", told.ConnectRecvAddr, told.ResolveRecvAddr)
		}
	}
	alice.broadcast("to all", 2)
	for i, n := range peers {
		if got := n.text(); got != "to all" {
			t.Errorf("peer %d received %q", i, got)
		}
		n.broadcast("to one", 1)
		if got := alice.text(); got != "to one" {
			t.Errorf("received %q from peer %d", got, i)
		}
		if got := n.Channels()[0].Addr(); got != n.Settings().Peers[0] {
			t.Errorf("the address dialled is %v", got)
		}
		if told := n.Channels()[0].Remote(); told.ConnectRecvAddr != a {
			t.Errorf("the peer knows it by %v, want its own socket", told.ConnectRecvAddr)
		}
	}
	peers[0].stop()
	eventually(t, "the first has left", func() bool { return len(alice.Channels()) == 1 })
	alice.broadcast("to who is left", 1)
	if got := peers[1].text(); got != "to who is left" {
		t.Errorf("received %q", got)
	}
	alice.stop()
	if _, err := os.Lstat(a.Path()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is left behind: %v", err)
	}
}

func TestUnixANodeThatDiedIsStartedAgainAndFoundAgain(t *testing.T) {
	a := newSocket(t)
	n := startNode(t, sockets(), viaSocket(a))
	alice := newNode(t, sockets(), onSocket(a))
	for _, word := range []string{"before", "after"} {
		alice.start()
		eventually(t, "they are connected", func() bool { return len(alice.Channels()) == 1 })
		alice.broadcast(word, 1)
		if got := n.text(); got != word {
			t.Errorf("received %q, want %q", got, word)
		}
		if _, err := sockets().Listen(t.Context(), a); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("Listen where the node does: %v, want EADDRINUSE", err)
		}
		alice.stop()
		leaveSocket(t, a)
		eventually(t, "the log says that nobody answers", func() bool { return n.logs.FilterMessage("Cannot connect").Len() > 0 })
	}
}

func TestUnixWhatCannotBeListenedOnIsNamed(t *testing.T) {
	settings := p2p.DefaultSettings()
	onSocket(addr.MustParse("unix:///nowhere/to/be/found/s"))(&settings)
	n, err := p2p.New(settings)
	if err != nil {
		t.Fatal(err)
	}
	failed := (*transport.Error)(nil)
	if err := n.Start(t.Context()); !errors.As(err, &failed) || !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "cannot listen on unix:///nowhere/to/be/found/s") || !strings.Contains(err.Error(), "create its directory") {
		t.Errorf("Start: %v, want the address and what to do", err)
	}
}

func TestUnixFaultsOfTheSettingsAreNamed(t *testing.T) {
	long, here := "unix:///"+strings.Repeat("x", 200), addr.MustParse("unix:///run/s")
	for _, c := range []struct {
		field, value, want string
		change             func(*p2p.Settings)
	}{
		{"Inbound", long, "too long for a socket, with 201 bytes: choose one of at most ", nil},
		{"Peers", long, "too long for a socket, with 201 bytes: choose one of at most ", nil},
		{"Seeds", long, "too long for a socket, with 201 bytes: choose one of at most ", nil},
		{"Inbound", "unix://localhost/run/s", "has a host", nil},
		{"Peers", "unix:run/s", "begin at the root", nil},
		{"Seeds", "unix:///run/", "ends in a slash", nil},
		{"Inbound", "unix:///~/s", "~", nil},
		{"ExternalAddrs", "unix:///run/s", "leave it out", nil},
		{"Peers", "unix:/run/s", "listens itself", onSocket(here)},
	} {
		s := p2p.DefaultSettings()
		if c.change != nil {
			c.change(&s)
		}
		a := []addr.Addr{addr.MustParse(c.value)}
		switch c.field {
		case "Inbound":
			s.Inbound = a
		case "Peers":
			s.Peers = a
		case "Seeds":
			s.Seeds = a
		case "ExternalAddrs":
			s.ExternalAddrs = a
		}
		_, err := p2p.New(s)
		fault := (*p2p.SettingError)(nil)
		if !errors.As(err, &fault) || fault.Field != c.field || !strings.Contains(fault.Value, c.value[:min(len(c.value), 40)]) || !strings.Contains(fault.Remedy, c.want) {
			t.Errorf("%s %.40s: %v, want %q", c.field, c.value, err, c.want)
		}
	}
	s := p2p.DefaultSettings()
	onSocket(here)(&s)
	s.Peers, s.Seeds = []addr.Addr{addr.MustParse("unix:/run/peer")}, []addr.Addr{addr.MustParse("unix:///run/seed")}
	if err := s.Validate(); err != nil {
		t.Errorf("sockets to listen on and to dial: %v", err)
	}
}

// TestUnixPeersAreNotBanned: who is on a socket has no address of its own, so that a
// ban would be one of everybody there.
func TestUnixPeersAreNotBanned(t *testing.T) {
	for _, m := range misdeeds {
		if !m.banned {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			n := startNode(t, sockets(), onSocket(newSocket(t)))
			honest := n.greeted()
			n.channel()
			p := n.greeted()
			ch := n.channel()
			m.do(p)
			p.Closed()
			if err := reason(t, ch); offence(err) == 0 {
				t.Errorf("the channel ended with %v, want an offence", err)
			}
			eventually(t, "it has left", func() bool { return len(n.Channels()) == 1 })
			if bans := n.Hosts().Bans(); len(bans) != 0 || n.Hosts().Refused(n.Addrs()[0]) {
				t.Errorf("the bans are %+v, want none", bans)
			}
			honest.Alive()
			n.greeted()
		})
	}
}

// TestUnixDialledPeersAreNotBanned: a socket of this machine that was dialled for once.
func TestUnixDialledPeersAreNotBanned(t *testing.T) {
	l, err := sockets().Listen(t.Context(), newSocket(t))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // nobody cares
	n := startNode(t, sockets(), func(s *p2p.Settings) { s.Inbound, s.ActiveProfiles = nil, []string{addr.Unix} })
	for range 2 {
		got := make(chan *channel.Channel)
		go func() {
			ch, release, err := n.Channel(t.Context(), l.Addr())
			if err != nil {
				t.Error(err)
				close(got)
				return
			}
			defer release()
			got <- ch
			<-ch.Done()
		}()
		p := p2ptest.Accept(t, l)
		p.Greet()
		ch := <-got
		p.Write(p.RawFrame("nonsense", nil))
		p.Closed()
		wantOffence(t, ch, wire.UnknownCommand)
		eventually(t, "it has left", func() bool { return n.Hosts().StateOf(l.Addr()) == hosts.Free })
		if bans := n.Hosts().Bans(); len(bans) != 0 {
			t.Errorf("the bans are %+v, want none", bans)
		}
	}
}

func TestUnixPeersMayTakeEveryPlace(t *testing.T) {
	n := startNode(t, sockets(), onSocket(newSocket(t)), func(s *p2p.Settings) { s.InboundConnections, s.Localnet = 8, false })
	for range 8 {
		n.greeted()
	}
	if said := n.dial().Closed(); len(said) != 0 {
		t.Errorf("the ninth was told %v, want not a byte", said)
	}
}

// TestH7OverUnix: a connection to our own socket ends, and those of others do not.
func TestH7OverUnix(t *testing.T) {
	a := newSocket(t)
	n := startNode(t, sockets(), onSocket(a))
	n.greeted()
	for _, own := range []addr.Addr{a, addr.MustParse("unix:" + a.Path())} {
		if _, _, err := n.Channel(t.Context(), own); !errors.Is(err, session.ErrSelf) {
			t.Errorf("error is %v, want ErrSelf", err)
		}
		eventually(t, "one channel is left", func() bool { return len(n.Channels()) == 1 })
	}
	n.greeted()
	if bans := n.Hosts().Bans(); len(bans) != 0 {
		t.Errorf("the bans are %+v, want none", bans)
	}
}
