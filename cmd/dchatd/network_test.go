package main_test

import (
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"dchat/cmd/internal/proc"
)

// rpcSlot is an outbound slot as p2p.slots tells of it.
type rpcSlot struct {
	State string `json:"state"`
	Addr  string `json:"addr"`
	Error string `json:"error"`
}

// startSeed runs lilith for one network, with these lines in its table.
func startSeed(t *testing.T, in setup, accept string, lines ...string) *daemon {
	t.Helper()
	in.home = proc.NewHome(t)
	file := filepath.Join(in.home, "seed.toml")
	proc.WriteFile(t, file, fmt.Sprintf("[network.test]\naccept_addrs = [%q]\n%s\n", accept, strings.Join(lines, "\n")))
	in.program, in.bare = "lilith", true
	in.args = []string{"--config", file, "--rpc-listen", proc.Socket(in.home)}
	return in.start(t)
}

// stranger runs dchatd as one of a local network that knows nobody but seeds.
func stranger(t *testing.T, seed string, args ...string) (d *daemon, own string) {
	t.Helper()
	own = proc.FreeAddress(t)
	return setup{accept: own, args: append([]string{"--localnet", "--external-addrs", own, "--seeds", seed}, args...)}.launch(t), own
}

// dialled returns, sorted, the addresses to which the daemon has connected from its slots.
func (d *daemon) dialled() []string {
	d.T.Helper()
	addrs := []string{}
	for _, s := range ask[[]rpcSlot](d, "p2p.slots") {
		if s.State == "connected" {
			addrs = append(addrs, s.Addr)
		}
	}
	slices.Sort(addrs)
	return addrs
}

// hasDialled tells whether the slots hold connections to these addresses and no others.
func (d *daemon) hasDialled(want ...string) error {
	d.T.Helper()
	slices.Sort(want)
	if got := d.dialled(); !slices.Equal(got, want) {
		return fmt.Errorf("%s: connected to %q, want %q", d.RPC, got, want)
	}
	return nil
}

// mesh is some daemons with the addresses they tell.
type mesh map[string]*daemon

// complete tells whether everyone is connected to everyone.
func (m mesh) complete() error {
	for own, d := range m {
		if err := d.hasDialled(m.others(own)...); err != nil {
			return err
		}
	}
	return nil
}

// any returns one of the daemons with its address.
func (m mesh) any() (own string, d *daemon) {
	for own, d = range m {
		break
	}
	return own, d
}

// others are all addresses but one.
func (m mesh) others(own string) (others []string) {
	for a := range m {
		if a != own {
			others = append(others, a)
		}
	}
	return others
}

// forms waits until the mesh is complete, and returns how long that took.
func (m mesh) forms(t *testing.T, within time.Duration) time.Duration {
	t.Helper()
	began := time.Now()
	proc.Eventually(t, within, m.complete)
	return time.Since(began).Round(10 * time.Millisecond)
}

// wantNoBans checks that nobody has banned anybody.
func (m mesh) wantNoBans(t *testing.T) {
	t.Helper()
	for own, d := range m {
		if bans := ask[[]struct{ Host, Reason string }](d, "p2p.bans"); len(bans) > 0 {
			t.Errorf("%s has banned %v", own, bans)
		}
	}
}

// newMesh starts a seed and so many strangers.
func newMesh(t *testing.T, size int) mesh {
	t.Helper()
	seed := startSeed(t, setup{}, "tcp://127.0.0.1:0", "localnet = true").addr().String()
	m := mesh{}
	for range size {
		d, own := stranger(t, seed)
		m[own] = d
	}
	return m
}

// Four daemons that know nothing but one seed are all connected to each other within 3 s of their
// start.
func TestFourStrangersFindEachOther(t *testing.T) {
	limit := 3 * time.Second
	if proc.Race {
		limit *= 5
	}
	seed := startSeed(t, setup{}, "tcp://127.0.0.1:0", "localnet = true").addr().String()
	began := time.Now()
	m := mesh{}
	for range 4 {
		d, own := stranger(t, seed)
		m[own] = d
	}
	m.forms(t, proc.Patience)
	took := time.Since(began)
	t.Logf("everyone is connected to everyone %v after the first was started", took.Round(10*time.Millisecond))
	if took > limit {
		t.Errorf("it took %v, want at most %v", took, limit)
	}
	m.wantNoBans(t)
}

// N6, T3: a daemon that stands still for 10 s keeps its connections. One that stands still for 60 s
// is left by the others meanwhile, and is back with all of them within 30 s. Nobody is banned.
func TestN6T3ADaemonIsSuspended(t *testing.T) {
	t.Run("10 s", func(t *testing.T) {
		t.Parallel()
		m := newMesh(t, 3)
		m.forms(t, proc.Patience)
		sleeper, before := m.suspend(t)
		<-time.After(10 * time.Second)
		m[sleeper].Signal(syscall.SIGCONT)
		if receipt := ask[rpcReceipt](m[sleeper], "chat.send", map[string]any{"text": "awake"}); receipt.Peers != 2 {
			t.Errorf("the text went to %d peers, want 2", receipt.Peers)
		}
		for own, ids := range before {
			if own != sleeper {
				proc.Eventually(t, proc.Patience, func() error { return lastTexts(m[own], "awake") })
			}
			if now := m[own].channels(); !slices.Equal(now, ids) {
				t.Errorf("%s had the channels %v, and now %v", own, ids, now)
			}
		}
		m.wantNoBans(t)
	})
	t.Run("60 s", func(t *testing.T) {
		t.Parallel()
		m := newMesh(t, 3)
		m.forms(t, proc.Patience)
		slept := time.Now()
		sleeper, _ := m.suspend(t)
		wakes := time.After(time.Minute)
		others := m.others(sleeper)
		for i, own := range others {
			proc.Eventually(t, 55*time.Second-time.Since(slept), func() error { return m[own].hasDialled(others[1-i]) })
		}
		t.Logf("left %v after it was suspended", time.Since(slept).Round(10*time.Millisecond))
		<-wakes
		m[sleeper].Signal(syscall.SIGCONT)
		t.Logf("back with everyone %v after it went on", m.forms(t, 30*time.Second))
		m.wantNoBans(t)
	})
}

// suspend stops one of the daemons, which goes on at the latest when the test ends, and returns the
// channels that each had.
func (m mesh) suspend(t *testing.T) (sleeper string, channels map[string][]uint32) {
	t.Helper()
	channels = make(map[string][]uint32)
	for own, d := range m {
		channels[own] = d.channels()
	}
	sleeper, _ = m.any()
	m[sleeper].Signal(syscall.SIGSTOP)
	t.Cleanup(func() { m[sleeper].Signal(syscall.SIGCONT) })
	return sleeper, channels
}

// channels are the numbers of the connections to other daemons that last.
func (d *daemon) channels() (ids []uint32) {
	d.T.Helper()
	for _, ch := range ask[rpcInfo](d, "p2p.get_info").Channels {
		if ch.Session == "outbound" {
			ids = append(ids, ch.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// A user whose seed is wrong is told which one and why, once, and not of any ban.
func TestASeedThatIsNoUse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		seed func(t *testing.T) string
		why  string
	}{
		"down": {func(t *testing.T) string { return proc.FreeAddress(t) }, "connection refused"},
		"of another application": {
			func(t *testing.T) string {
				return startSeed(t, setup{}, "tcp://127.0.0.1:0", "localnet = true", `app_name = "other"`).addr().String()
			},
			`other`,
		},
		"of another version": {
			func(t *testing.T) string {
				return startSeed(t, setup{}, "tcp://127.0.0.1:0", "localnet = true", `version = "9.8.7"`).addr().String()
			},
			`9\.8\.7`,
		},
		"of another network": {
			func(t *testing.T) string {
				return startSeed(t, setup{}, "tcp://127.0.0.1:0", "localnet = true", "magic_bytes = [1, 2, 3, 4]").addr().String()
			},
			`magic`,
		},
		"no node at all": {
			func(t *testing.T) string {
				l, err := net.Listen("tcp4", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = l.Close() })
				go func() {
					for {
						conn, err := l.Accept()
						if err != nil {
							return
						}
						_, _ = conn.Write([]byte("220 mail.example ESMTP\r\n"))
						_ = conn.Close()
					}
				}()
				return "tcp://" + l.Addr().String() + "/"
			},
			`magic|protocol`,
		},
		"a name that does not exist": {
			func(*testing.T) string { return "tcp://" + strings.Repeat("a", 64) + ".invalid:26661/" },
			"no such host",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seed := c.seed(t)
			d, _ := stranger(t, seed)
			line := d.Logged(`(?m)^.* WARN .*` + regexp.QuoteMeta(seed) + `.*$`)[0]
			t.Log(line)
			if !regexp.MustCompile(c.why).MatchString(line) {
				t.Errorf("%q does not say why: %s", line, c.why)
			}
			<-time.After(4 * time.Second) // it is asked again after 1 and 2 s
			if got := len(regexp.MustCompile(`(?m)^.* WARN .*`+regexp.QuoteMeta(seed)).FindAllString(d.Stderr(), -1)); got != 1 {
				t.Errorf("%d warnings, want 1", got)
			}
			mesh{seed: d}.wantNoBans(t)
		})
	}
}
