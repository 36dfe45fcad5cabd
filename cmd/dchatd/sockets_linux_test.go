package main_test

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// remotes are the other ends, host:port, of all sockets of a process but those that listen. An end that
// is not known is 0.0.0.0:0 or [::]:0. What vanishes while it is looked at is left out.
func remotes(pid int) (ends []string) {
	open := map[string]bool{} // by inode
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, file := range files {
		if target, err := os.Readlink(file); err == nil {
			open[strings.TrimSuffix(strings.TrimPrefix(target, "socket:["), "]")] = true
		}
	}
	for _, kind := range []string{"tcp", "tcp6", "udp", "udp6"} {
		table, _ := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, kind))
		for line := range strings.Lines(string(table)) {
			const remote, state, inode, listens = 2, 3, 9, "0A"
			fields := strings.Fields(line)
			if len(fields) > inode && open[fields[inode]] && fields[state] != listens {
				ends = append(ends, endpointOf(fields[remote]))
			}
		}
	}
	return ends
}

// endpointOf reads an address of /proc/net: words of 4 bytes, each in the order of the machine.
func endpointOf(text string) string {
	host, port, _ := strings.Cut(text, ":")
	ip, err := hex.DecodeString(host)
	number, portErr := strconv.ParseUint(port, 16, 16)
	if err != nil || portErr != nil {
		return text
	}
	for word := range slices.Chunk(ip, 4) {
		binary.NativeEndian.PutUint32(word, binary.BigEndian.Uint32(word))
	}
	a, _ := netip.AddrFromSlice(ip)
	return netip.AddrPortFrom(a, uint16(number)).String()
}

// watch looks at the sockets of a daemon until stop is called, and then once more; stop returns all other ends
// that it has seen.
func (d *daemon) watch() (stop func() []string) {
	seen, over := map[string]bool{}, make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for last := false; ; {
			for _, end := range remotes(d.Pid()) {
				seen[end] = true
			}
			if last {
				return
			}
			select {
			case <-tick.C:
			case <-over:
				last = true
			}
		}
	})
	return sync.OnceValue(func() []string {
		close(over)
		watching.Wait()
		return slices.Sorted(maps.Keys(seen))
	})
}

// A daemon whose peers are reached through a proxy has connections to the proxy and to nothing else, also
// while the peer is away, and looks up no name. All the peer ever sees is the proxy. Tor's is told a
// made-up user for the destination.
func TestADaemonThatHidesTalksToTheProxyAlone(t *testing.T) {
	for name, w := range ways {
		if !w.proxied() {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := w.start(t)
			stop := p.alice.watch()
			t.Cleanup(func() { stop() })
			p.converse(t)
			p.bob.Kill()
			p.alice.peers(0, comeBack)
			log := p.bob.Stderr()
			p.bob = p.asBob.start(t)
			p.converse(t)
			if got := stop(); !slices.Equal(got, []string{p.endpoint}) {
				t.Errorf("the daemon had sockets to %s, want none but to the proxy %s", got, p.endpoint)
			}
			ours := p.proxy.Sockets()
			guests := regexp.MustCompile(`Connected peer=\S+?://([^/ ]+)`).FindAllStringSubmatch(log+p.bob.Stderr(), -1)
			if len(guests) != 2 {
				t.Errorf("the peer had %d connections, want 2", len(guests))
			}
			for _, guest := range guests {
				if !slices.Contains(ours, guest[1]) {
					t.Errorf("somebody came to the peer from %s, which is not the proxy", guest[1])
				}
			}
			users := map[string]bool{}
			for _, r := range p.proxy.Asked() {
				users[r.User] = true
			}
			if alice := strings.Contains(fmt.Sprint(p.asAlice), userinfo); len(users) != 1 || users["alice"] != alice {
				t.Errorf("the proxy was told the users %v", slices.Collect(maps.Keys(users)))
			}
		})
	}
}

// What is looked at above shows the connections that there are.
func TestSocketsAreSeen(t *testing.T) {
	t.Parallel()
	for name, w := range map[string]way{"IPv4": ways["tcp"], "IPv6": ways["tcp, IPv6"]} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := w.start(t)
			p.converse(t)
			if got, want := remotes(p.alice.Pid()), p.bob.addr().HostPort(); !slices.Equal(got, []string{want}) {
				t.Errorf("the sockets lead to %s, want %s", got, want)
			}
			if got := remotes(os.Getpid()); slices.Contains(got, p.bob.addr().HostPort()) {
				t.Errorf("the sockets of another process are seen: %s", got)
			}
		})
	}
}
