package main_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"dchat/chat/jsonrpc"
	"dchat/cmd/internal/proc"
	"dchat/p2p/dnet"
)

// internet is a router, in a network namespace of its own, between machines that each have a
// namespace too. Their addresses are in different networks, and look public.
type internet struct {
	t      *testing.T
	router string
}

// machine is one of them.
type machine struct {
	net    internet
	netns  string
	number int
}

// newInternet makes the router, or skips the test where that is not possible.
func newInternet(t *testing.T) internet {
	t.Helper()
	for _, program := range []string{"ip", "ss"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("no network namespaces without iproute2: ", err)
		}
	}
	n := internet{t, fmt.Sprintf("dchatd-%d-%s", os.Getpid(), strings.ReplaceAll(strings.ToLower(t.Name()), "/", "-"))}
	if out, err := exec.Command("ip", "netns", "add", n.router).CombinedOutput(); err != nil {
		t.Skipf("network namespaces take root and a kernel that has them: %v: %s", err, out)
	}
	t.Cleanup(func() { n.run("ip", "netns", "del", n.router) })
	n.run("ip", "netns", "exec", n.router, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
	return n
}

func (n internet) run(command ...string) string {
	n.t.Helper()
	out, err := exec.Command(command[0], command[1:]...).CombinedOutput()
	if err != nil {
		n.t.Fatalf("%s: %v: %s", strings.Join(command, " "), err, out)
	}
	return string(out)
}

// machine adds a machine with a number from 1 to 200.
func (n internet) machine(number int) machine {
	n.t.Helper()
	m := machine{n, fmt.Sprintf("%s-%d", n.router, number), number}
	n.run("ip", "netns", "add", m.netns)
	n.t.Cleanup(func() { n.run("ip", "netns", "del", m.netns) })
	n.run("ip", "-n", n.router, "link", "add", m.port(), "type", "veth", "peer", "name", "eth0", "netns", m.netns)
	n.run("ip", "-n", n.router, "addr", "add", m.ip(1)+"/24", "dev", m.port())
	n.run("ip", "-n", m.netns, "addr", "add", m.ip(2)+"/24", "dev", "eth0")
	n.run("ip", "-n", m.netns, "link", "set", "lo", "up")
	n.run("ip", "-n", m.netns, "link", "set", "eth0", "up")
	m.link("up")
	n.run("ip", "-n", m.netns, "route", "add", "default", "via", m.ip(1))
	return m
}

// ip is an address in the network of the machine; the router has 1, the machine 2.
func (m machine) ip(host int) string { return fmt.Sprintf("51.%d.0.%d", m.number, host) }

// url is where the daemon on the machine is reached.
func (m machine) url() string { return "tcp://" + m.ip(2) + ":26661/" }

// port is the router's end of the cable to the machine.
func (m machine) port() string { return "to" + strconv.Itoa(m.number) }

// link sets the router's end of the cable up or down.
func (m machine) link(state string) {
	m.net.t.Helper()
	m.net.run("ip", "-n", m.net.router, "link", "set", m.port(), state)
}

// vanish makes the router lose without a word all that the machine sends and is sent.
func (m machine) vanish() {
	m.net.t.Helper()
	m.net.run("ip", "-n", m.net.router, "rule", "add", "from", m.ip(2), "blackhole")
	m.net.run("ip", "-n", m.net.router, "rule", "add", "to", m.ip(2), "blackhole")
}

// town is a seed and daemons that know only it, each on a machine; everyone is connected to
// everyone. None accepts private addresses, and all of them ban.
type town struct {
	mesh
	machines map[string]machine // by the address of their daemon
	seed     *daemon
}

// member runs a daemon on the machine.
func (m machine) member(home string, args ...string) *daemon {
	m.net.t.Helper()
	args = append([]string{"--external-addrs", m.url()}, args...)
	return setup{netns: m.netns, home: home, accept: "tcp://0.0.0.0:26661", args: args}.launch(m.net.t)
}

// newTown starts that many daemons, and waits until everyone is connected to everyone.
func newTown(t *testing.T, size int) town {
	t.Helper()
	n := newInternet(t)
	hub := n.machine(100)
	w := town{mesh{}, map[string]machine{}, startSeed(t, setup{netns: hub.netns}, hub.url())}
	began := time.Now()
	for i := range size {
		m := n.machine(i + 1)
		w.machines[m.url()] = m
		w.mesh[m.url()] = m.member(proc.NewHome(t), "--seeds", hub.url())
	}
	proc.Eventually(t, proc.Patience, w.complete)
	t.Logf("everyone is connected to everyone %v after the first was started", time.Since(began).Round(10*time.Millisecond))
	return w
}

// talk tells whether a text of each gets to all others.
func (w town) talk() error {
	word := fmt.Sprint("it is ", time.Now())
	for own, d := range w.mesh {
		if err := d.Call(new(bool), "send", word+own); err != nil {
			return err
		}
	}
	for end := time.Now().Add(time.Second); ; {
		missing := ""
		for own, d := range w.mesh {
			got := ask[[]string](d, "recv")
			for _, from := range w.others(own) {
				if !slices.Contains(got, word+from) {
					missing = fmt.Sprintf("%s has not got what %s said", own, from)
				}
			}
		}
		if missing == "" {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s", missing)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// N1: 2 of 4 machines are cut off for 10 s. All are connected to all and hear each other within 20 s
// after that, and nobody is banned.
func TestN1CablesArePulled(t *testing.T) {
	t.Parallel()
	w := newTown(t, 4)
	cut := slices.Sorted(maps.Keys(w.machines))[:2]
	for _, own := range cut {
		w.machines[own].link("down")
	}
	over := time.After(10 * time.Second)
	for own, d := range w.mesh {
		if !ask[bool](d, "send", "into the partition from "+own) {
			t.Error("send answered false")
		}
	}
	<-over
	for _, own := range cut {
		if got := ask[[]string](w.mesh[own], "recv"); len(got) > 0 {
			t.Errorf("%s received %q while it was cut off", own, got)
		}
	}
	for _, own := range cut {
		w.machines[own].link("up")
	}
	healed := time.Now()
	proc.Eventually(t, 20*time.Second, func() error {
		if err := w.complete(); err != nil {
			return err
		}
		return w.talk()
	})
	t.Logf("all hear each other %v after the end of the partition", time.Since(healed).Round(10*time.Millisecond))
	w.wantNoBans(t)
}

// N2: one of 3 machines vanishes without a word. The others have noticed within a heartbeat of 30 s
// and the 15 s in which it has to be answered, and stay with each other.
func TestN2AMachineVanishes(t *testing.T) {
	t.Parallel()
	w := newTown(t, 3)
	lost, _ := w.any()
	left := w.others(lost)
	w.machines[lost].vanish()
	vanished := time.Now()
	for i, own := range left {
		proc.Eventually(t, 46*time.Second-time.Since(vanished), func() error { return w.mesh[own].hasDialled(left[1-i]) })
	}
	t.Logf("noticed after %v", time.Since(vanished).Round(10*time.Millisecond))
	w.wantNoBans(t)
}

// N3: for 20 s all connections of a machine are reset once a second, also inside frames. Each slot
// dials at most once a second then, but for a few at once in the beginning, and afterwards everybody
// is connected to everybody, with no descriptor more than before, and nobody is banned.
func TestN3ConnectionsAreReset(t *testing.T) {
	t.Parallel()
	const storm, burst = 20, 3
	w := newTown(t, 4)
	own, victim := w.any()
	long := strings.Repeat("x", 64<<10)
	client := victim.Client()
	if !ask[bool](victim, "dnet.switch", true) {
		t.Fatal("no events")
	}
	events, err := client.Subscribe(t.Context(), "dnet.subscribe_events", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = events.Close() }()
	dials := make(chan map[int]int, 1)
	go func() { dials <- countDials(t, events) }()

	m, reset, before := w.machines[own], 0, victim.descriptors()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for range storm {
		for _, d := range w.mesh {
			for range 4 {
				_ = d.Call(new(bool), "send", long) // there may be nobody to send it to
			}
		}
		reset += strings.Count(m.net.run("ip", "netns", "exec", m.netns, "ss", "-K", "-t", "-n"), "ESTAB")
		<-tick.C
	}
	_ = events.Close()
	t.Logf("%d connections were reset", reset)
	if reset < storm {
		t.Error("there was nothing to reset")
	}
	dialled := <-dials
	if len(dialled) == 0 {
		t.Error("nothing was dialled")
	}
	for slot, count := range dialled {
		t.Logf("slot %d dialled %d times in %d s", slot, count, storm)
		if count > storm+burst {
			t.Errorf("slot %d dialled %d times in %d s", slot, count, storm)
		}
	}
	t.Logf("everyone is connected to everyone %v after the storm", w.forms(t, time.Minute))
	proc.Eventually(t, proc.Patience, func() error {
		if now := victim.descriptors(); max(now-before, before-now) > 5 {
			return fmt.Errorf("%d descriptors, %d before", now, before)
		}
		return nil
	})
	w.wantNoBans(t)
}

// countDials counts, by slot, until the events end.
func countDials(t *testing.T, events *jsonrpc.Subscription) map[int]int {
	dials := map[int]int{}
	for {
		params, err := events.Next(t.Context())
		if err != nil {
			return dials
		}
		var told []struct {
			Event string
			Info  struct{ Slot int }
		}
		if err := json.Unmarshal(params, &told); err != nil {
			t.Error(err)
		}
		for _, e := range told {
			if e.Event == dnet.SlotConnecting {
				dials[e.Info.Slot]++
			}
		}
	}
}

// N8: a machine loses its network interface, and with it all connections, for 15 s, so that every
// dial finds no route. That is nobody's fault: it is back within half a minute of its return,
// also when it has no seed and only its list of addresses.
func TestN8AMachineIsOffline(t *testing.T) {
	for name, seedless := range map[string]bool{"seed": false, "seedless": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTown(t, 4)
			own, d := w.any()
			m := w.machines[own]
			if seedless {
				d.Stop()
				w.mesh[own] = m.member(d.Home)
				d = w.mesh[own]
				proc.Eventually(t, proc.Patience, w.complete)
			}
			m.net.run("ip", "-n", m.netns, "link", "set", "eth0", "down")
			m.net.run("ip", "netns", "exec", m.netns, "ss", "-K", "-t", "-n")
			offline := time.After(15 * time.Second)
			d.Logged("network is unreachable")
			<-offline
			m.net.run("ip", "-n", m.netns, "link", "set", "eth0", "up")
			m.net.run("ip", "-n", m.netns, "route", "add", "default", "via", m.ip(1))
			online := time.Now()
			proc.Eventually(t, 30*time.Second, func() error { return d.hasDialled(w.others(own)...) })
			t.Logf("connected to everyone %v after it was online again", time.Since(online).Round(10*time.Millisecond))
			w.wantNoBans(t)
		})
	}
}

// N9: a machine gets another address. Its daemon is back in the network within a minute.
func TestN9AMachineGetsAnotherAddress(t *testing.T) {
	t.Parallel()
	w := newTown(t, 3)
	own, _ := w.any()
	m := w.machines[own]
	m.net.run("ip", "-n", m.netns, "addr", "del", m.ip(2)+"/24", "dev", "eth0")
	m.net.run("ip", "-n", m.netns, "addr", "add", m.ip(3)+"/24", "dev", "eth0")
	m.net.run("ip", "-n", m.netns, "route", "add", "default", "via", m.ip(1))
	moved := time.Now()
	proc.Eventually(t, time.Minute, w.talk)
	t.Logf("heard and hears everybody %v after it moved", time.Since(moved).Round(10*time.Millisecond))
	w.wantNoBans(t)
}
