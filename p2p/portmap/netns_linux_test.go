package portmap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"dchat/p2p/addr"
)

const (
	routerIP  = "192.168.77.1"
	machineIP = "192.168.77.2"
)

// street is a router and a machine behind it, each in a network namespace.
type street struct {
	t               *testing.T
	router, machine string
}

func newStreet(t *testing.T) street {
	t.Helper()
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("no network namespaces without iproute2: ", err)
	}
	name := fmt.Sprintf("portmap-%d", os.Getpid())
	s := street{t, name + "-router", name + "-machine"}
	for _, ns := range []string{s.router, s.machine} {
		if out, err := exec.Command("ip", "netns", "add", ns).CombinedOutput(); err != nil {
			t.Skipf("network namespaces take root and a kernel that has them: %v: %s", err, out)
		}
		t.Cleanup(func() { s.ip("netns", "del", ns) })
		s.ip("-n", ns, "link", "set", "lo", "up")
	}
	s.ip("-n", s.router, "link", "add", "lan", "type", "veth", "peer", "name", "eth0", "netns", s.machine)
	s.ip("-n", s.router, "addr", "add", routerIP+"/24", "dev", "lan")
	s.ip("-n", s.router, "link", "set", "lan", "up")
	s.ip("-n", s.machine, "addr", "add", machineIP+"/24", "dev", "eth0")
	s.ip("-n", s.machine, "link", "set", "eth0", "up")
	s.ip("-n", s.machine, "route", "add", "default", "via", routerIP, "metric", "100")
	return s
}

func (s street) ip(args ...string) {
	s.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		s.t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// run plays a role in a namespace until it prints a line, which is returned, and goes
// on until the returned function is called, which returns the rest.
func (s street) run(netns, role string) (line string, end func() string) {
	s.t.Helper()
	program, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.CommandContext(bound(s.t, 30*time.Second), "ip", "netns", "exec", netns, program)
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	cmd.Stderr = os.Stderr
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		s.t.Fatal(err)
	}
	if _, err := fmt.Fscanln(out, &line); err != nil {
		s.t.Errorf("%s ended without a word: %v", role, err)
	}
	return line, func() string {
		_ = in.Close()
		rest, _ := io.ReadAll(out)
		if err := cmd.Wait(); err != nil {
			s.t.Errorf("%s: %v", role, err)
		}
		return string(rest)
	}
}

// TestMain runs the tests, or is one of the machines of a street.
func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "":
		goleak.VerifyTestMain(m)
	case "UPnP":
		playUPnP()
	case "NAT-PMP":
		playPMP()
	case "machine":
		playMachine()
	case "search":
		_, err := FindGateways(context.Background())
		fmt.Println(strings.ReplaceAll(fmt.Sprint(err), " ", "_"))
	}
}

const roleVariable = "PORTMAP_TEST_ROLE"

// untilTold waits for the other end of standard input to be closed.
func untilTold() { _, _ = io.Copy(io.Discard, os.Stdin) }

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// playUPnP is the router, and says at the end what it maps.
func playUPnP() {
	group := must(net.ListenMulticastUDP("udp4", must(net.InterfaceByName("lan")), net.UDPAddrFromAddrPort(ssdpGroup)))
	r := must(startIGD(routerIP, group))
	fmt.Println("ready")
	untilTold()
	r.close()
	fmt.Println(r.asked, r.has)
}

// playPMP is the router, and says at the end what it maps.
func playPMP() {
	s := must(startPMP(netip.MustParseAddr(routerIP)))
	fmt.Println("ready")
	untilTold()
	s.close()
	fmt.Println(len(s.heard), s.has)
}

// playMachine maps a port, says where, and stops when it is told.
func playMachine() {
	changed := make(chan struct{}, 10)
	m := New(Config{
		Listening: func() []addr.Addr { return []addr.Addr{addr.MustParse("tcp+tls://0.0.0.0:5555")} },
		Changed:   func() { changed <- struct{}{} },
		Log:       must(zap.NewDevelopment()),
	})
	ctx, cancel := context.WithCancel(context.Background())
	var ran sync.WaitGroup
	ran.Go(func() { m.Run(ctx) })
	<-changed
	fmt.Println(m.External())
	untilTold()
	cancel()
	ran.Wait()
}

func TestAMachineFindsItsRouter(t *testing.T) {
	for router, want := range map[string]string{
		"UPnP":    "[GetExternalIPAddress GetSpecificPortMappingEntry AddPortMapping GetExternalIPAddress GetSpecificPortMappingEntry DeletePortMapping] map[]\n",
		"NAT-PMP": "4 map[]\n",
	} {
		t.Run(router, func(t *testing.T) {
			s := newStreet(t)
			_, endRouter := s.run(s.router, router)
			mapped, endMachine := s.run(s.machine, "machine")
			if mapped != "[tcp+tls://51.1.2.3:5555/]" {
				t.Errorf("the machine is at %s", mapped)
			}
			endMachine()
			if got := endRouter(); got != want {
				t.Errorf("the router says %q, want %q", got, want)
			}
		})
	}
}

// TestOnlyTheWayToTheInternetIsSearched: with a router that would map at home, a
// machine whose packets go elsewhere finds none.
func TestOnlyTheWayToTheInternetIsSearched(t *testing.T) {
	for name, c := range map[string]struct {
		ip, want string
	}{
		"a VPN":            {"10.9.0.2/24", "there_is_no_router_behind_other"},
		"a public address": {"51.9.0.2/24", "this_machine_has_a_public_address_itself"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStreet(t)
			s.ip("-n", s.machine, "link", "add", "other", "type", "veth", "peer", "name", "end", "netns", s.router)
			s.ip("-n", s.router, "link", "set", "end", "up")
			s.ip("-n", s.machine, "addr", "add", c.ip, "dev", "other")
			s.ip("-n", s.machine, "link", "set", "other", "up")
			s.ip("-n", s.machine, "route", "add", "default", "dev", "other", "metric", "1")
			_, endRouter := s.run(s.router, "NAT-PMP")
			found, end := s.run(s.machine, "search")
			if !strings.Contains(found, c.want) {
				t.Errorf("found %s, want %s", found, c.want)
			}
			end()
			if got := endRouter(); got != "0 map[]\n" {
				t.Errorf("the router was asked: %s", got)
			}
		})
	}
}
