package main_test

import (
	"fmt"
	"testing"

	"dchat/cmd/internal/proc"
)

// ip6 gives the machine an IPv6 address that looks public, in a network of its own, and returns it.
func (m machine) ip6() string {
	m.net.t.Helper()
	network := fmt.Sprintf("2a%02x:1::", m.number)
	m.net.run("ip", "netns", "exec", m.net.router, "sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding")
	m.net.run("ip", "-n", m.net.router, "addr", "add", network+"1/64", "dev", m.port(), "nodad")
	m.net.run("ip", "-n", m.netns, "addr", "add", network+"2/64", "dev", "eth0", "nodad")
	m.net.run("ip", "-n", m.netns, "-6", "route", "add", "default", "via", network+"1")
	return network + "2"
}

// Two daemons that listen on whatever address they have, on any port, and know nobody but a seed, find
// out their own IPv6 addresses and tell them: each dials the other there.
func TestOwnIPv6AddressesAreFoundOutAndTold(t *testing.T) {
	t.Parallel()
	n := newInternet(t)
	hub := n.machine(100)
	seed := fmt.Sprintf("tcp://[%s]:26661/", hub.ip6())
	startSeed(t, setup{netns: hub.netns}, "tcp://[::]:26661")
	w := mesh{}
	for number := range 2 {
		m := n.machine(number + 1)
		ip := m.ip6()
		d := setup{netns: m.netns, accept: "tcp://[::]:0", args: []string{"--external-addrs", "tcp://[::]:0", "--seeds", seed}}.start(t)
		port, _ := d.addr().Port()
		w[fmt.Sprintf("tcp://[%s]:%d/", ip, port)] = d
	}
	proc.Eventually(t, proc.Patience, w.complete)
	w.wantNoBans(t)
}
