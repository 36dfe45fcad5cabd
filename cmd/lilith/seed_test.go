package main_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"dchat/cmd/internal/proc"
	"dchat/p2p/addr"
	"dchat/p2p/p2ptest"
	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

const twoNetworks = `
[network.one]
accept_addrs = ["tcp://127.0.0.1:0"]
localnet = true
[network.two]
accept_addrs = ["tcp+tls://127.0.0.1:0"]
localnet = true
app_name = "other"
version = "1.2.3"
magic_bytes = [1, 2, 3, 4]
`

const oneNetwork = "[network.one]\naccept_addrs = [\"tcp://127.0.0.1:0\"]\nlocalnet = true\n"

// spawn is one network in the answer of spawns.
type spawn struct {
	Name      string   `json:"name"`
	URLs      []string `json:"urls"`
	Whitelist []string `json:"whitelist"`
	Greylist  []string `json:"greylist"`
	Goldlist  []string `json:"goldlist"`
}

// spawns asks a seed what it knows.
func (p *process) spawns() map[string]spawn {
	p.T.Helper()
	answer := proc.Ask[struct{ Spawns []spawn }](p.Process, "spawns")
	networks := make(map[string]spawn)
	for _, s := range answer.Spawns {
		networks[s.Name] = s
	}
	return networks
}

// knows waits until the white list of a network holds these addresses, and no other list any.
func (p *process) knows(network string, want ...string) {
	p.T.Helper()
	slices.Sort(want)
	proc.Eventually(p.T, proc.Patience, func() error {
		got := p.spawns()[network]
		slices.Sort(got.Whitelist)
		if !slices.Equal(got.Whitelist, want) || len(got.Greylist)+len(got.Goldlist) > 0 {
			return fmt.Errorf("the seed knows %+v, want %q", got, want)
		}
		return nil
	})
}

// at is the address of a network, as the seed says.
func (p *process) at(network string) string {
	p.T.Helper()
	var urls []string
	proc.Eventually(p.T, proc.Patience, func() error {
		if urls = p.spawns()[network].URLs; len(urls) == 0 {
			return fmt.Errorf("%s does not listen", network)
		}
		return nil
	})
	return urls[0]
}

// connectedTo waits until a node has an outbound channel to an address.
func (p *process) connectedTo(a string) {
	p.T.Helper()
	proc.Eventually(p.T, proc.Patience, func() error {
		info := proc.Ask[struct {
			Channels []struct{ URL, Session string }
		}](p.Process, "p2p.get_info")
		for _, ch := range info.Channels {
			if ch.URL == a && ch.Session == "outbound" {
				return nil
			}
		}
		return fmt.Errorf("not connected to %s: %+v", a, info)
	})
}

// Nodes that know the seed alone find each other, each in its own network.
func TestTwoNetworksOfNodesThatKnowOnlyTheSeed(t *testing.T) {
	t.Parallel()
	s := seed(t, proc.NewHome(t), twoNetworks)
	if got := proc.Ask[string](s.Process, "ping"); got != "pong" {
		t.Errorf("ping gives %q", got)
	}
	begin := time.Now()
	_, alice := node(t, s.at("one"))
	s.knows("one", alice)
	t.Logf("the first node of a network is known after %v", time.Since(begin))

	other := filepath.Join(proc.NewHome(t), "other.toml")
	proc.WriteFile(t, other, "[net]\nactive_profiles = [\"tcp\", \"tcp+tls\"]\napp_name = \"other\"\napp_version = \"1.2.9\"\nmagic_bytes = [1, 2, 3, 4]\n[net.profiles.tcp]\n[net.profiles.\"tcp+tls\"]\n")
	_, carol := node(t, s.at("two"), "--config", other)
	s.knows("two", carol)

	begin = time.Now()
	bob, bobs := node(t, s.at("one"))
	bob.connectedTo(alice)
	t.Logf("the second one is connected to it after %v", time.Since(begin))
	s.knows("one", alice, bobs)
	s.knows("two", carol)
}

// A node that asks the seed of another network gets nothing and stays unknown.
func TestANodeOfAnotherNetworkIsNotServed(t *testing.T) {
	t.Parallel()
	s := seed(t, proc.NewHome(t), strings.ReplaceAll(twoNetworks, "tcp+tls", "tcp"))
	for _, network := range []string{"one", "two"} {
		p := p2ptest.Dial(t, transport.Default(), addr.MustParse(s.at(network)))
		p.Magic = [4]byte{9, 9, 9, 9}
		p.Send(&p.Version, &p.Verack, &wire.Addrs{Entries: []wire.Entry{{Addr: addr.MustParse("tcp://127.0.0.1:1"), LastSeen: uint64(time.Now().Unix())}}})
		if err := p.Conn().SetReadDeadline(time.Now().Add(proc.Patience)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, p.Conn()); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("the seed keeps the connection")
		}
		s.knows(network)
	}
}

// Any message of the application is unknown to the seed, which leaves and bans nobody.
func TestTheSeedLeavesThoseWhoTalkAndServesThemAgain(t *testing.T) {
	t.Parallel()
	s := seed(t, proc.NewHome(t), oneNetwork)
	at := addr.MustParse(s.at("one"))
	for range 3 {
		p := p2ptest.Dial(t, transport.Default(), at)
		p.Greet()
		p.Write(p.RawFrame("dchatmsg", []byte{1, 'x'}))
		p.Closed()
	}
	p2ptest.Dial(t, transport.Default(), at).Greet()
}

// What the seed knew it knows again after a restart, and after a kill.
func TestTheSeedRemembers(t *testing.T) {
	t.Parallel()
	home := proc.NewHome(t)
	s := seed(t, home, oneNetwork)
	_, alice := node(t, s.at("one"))
	s.knows("one", alice)
	s.Stop()
	again := seed(t, home, oneNetwork)
	again.knows("one", alice)
	again.Kill()
	seed(t, home, oneNetwork).knows("one", alice)
}

func TestSignals(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT} {
		s := seed(t, proc.NewHome(t), twoNetworks)
		s.at("two")              // so it has started
		s.Signal(syscall.SIGHUP) // is nothing to it
		if got := proc.Ask[string](s.Process, "ping"); got != "pong" {
			t.Errorf("ping gives %q", got)
		}
		s.Signal(sig)
		if code := s.Exit(); code != 0 {
			t.Errorf("%v ends it with %d", sig, code)
		}
		if log := s.Stderr(); !strings.Contains(log, "one.p2p: Stopping P2P network") || !strings.HasSuffix(log, "Shut down successfully\n") {
			t.Errorf("%v: the log ends with %q", sig, log)
		}
		if _, err := os.Lstat(filepath.Join(s.Home, "rpc.sock")); !os.IsNotExist(err) {
			t.Errorf("the RPC socket is left behind (%v)", err)
		}
	}
}

func TestAWrongConfigurationStartsNothing(t *testing.T) {
	t.Parallel()
	home := proc.NewHome(t)
	file := filepath.Join(home, "x.toml")
	proc.WriteFile(t, file, "[network.dchat]\naccept_addrs = [\"tcp://127.0.0.1:0\"]\nmagic = [1, 2, 3, 4]\n")
	for _, args := range [][]string{{}, {"config", "check"}, {"config", "show"}} {
		p := launch(t, "lilith", home, append(args, "-c", file)...)
		want := "lilith: " + file + ":3: network.dchat.magic: unknown key; the nearest known one is network.dchat.magic_bytes\n"
		if code := p.Exit(); code != 2 || p.Stderr() != want || p.Stdout() != "" {
			t.Errorf("%q ends with %d and says %q, want %q", args, code, p.Stderr(), want)
		}
	}
	if _, err := os.Lstat(filepath.Join(home, ".local")); !os.IsNotExist(err) {
		t.Errorf("there are files of a network (%v)", err)
	}
}

// One network that cannot listen fails the start, and the error says which, where and what to do.
func TestOneNetworkThatCannotListenFailsTheStart(t *testing.T) {
	t.Parallel()
	home := proc.NewHome(t)
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	file := filepath.Join(home, "x.toml")
	proc.WriteFile(t, file, oneNetwork+fmt.Sprintf("[network.busy]\naccept_addrs = [\"tcp://%s\"]\nlocalnet = true\n", taken.Addr()))
	p := launch(t, "lilith", home, "-c", file, "--rpc-listen", proc.Socket(home))
	want := `(?m)^lilith: cannot listen on tcp://` + regexp.QuoteMeta(taken.Addr().String()) + `.* address already in use: stop the program that uses it \(another lilith\?\), or take another port: change network\.busy\.accept_addrs in ` + regexp.QuoteMeta(file) + `$`
	if code := p.Exit(); code != 1 || !regexp.MustCompile(want).MatchString(p.Stderr()) {
		t.Errorf("it ends with %d and says %q, want %q", code, p.Stderr(), want)
	}
	if _, err := os.Lstat(filepath.Join(home, "rpc.sock")); !os.IsNotExist(err) {
		t.Errorf("the RPC socket is left behind (%v)", err)
	}
}

// The first run writes the configuration file, says where, and runs on the address that it names.
func TestFirstRun(t *testing.T) {
	t.Parallel()
	const at = "127.0.0.1:50515"
	free, err := new(net.ListenConfig).Listen(t.Context(), "tcp4", at)
	if err != nil {
		t.Skipf("the port of the default file is in use on this machine: %v", err)
	}
	_ = free.Close()
	home := proc.NewHome(t)
	p := launch(t, "lilith", home, "--rpc-listen", proc.Socket(home))
	p.Logged(regexp.QuoteMeta("Wrote a configuration file with the defaults file=" + home + "/.config/darkfi/lilith_config.toml"))
	p.Logged(regexp.QuoteMeta("dchat.p2p: Listening addr=tcp://" + at))
	if got := p.at("dchat"); got != "tcp://"+at+"/" {
		t.Errorf("it listens at %s", got)
	}
	_, alice := node(t, "tcp://"+at)
	p.knows("dchat", alice)
}
