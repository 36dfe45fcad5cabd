package main_test

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dchat/cmd/internal/proc"
	"dchat/p2p/p2ptest"
	"dchat/p2p/transport"
)

// proc reads a file of /proc about the daemon.
func (d *daemon) proc(name string) string {
	d.T.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", d.Pid(), name))
	if err != nil {
		d.T.Fatal(err)
	}
	return string(text)
}

// descriptors is how many files and sockets the daemon has open.
func (d *daemon) descriptors() int {
	d.T.Helper()
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", d.Pid()))
	if err != nil {
		d.T.Fatal(err)
	}
	return len(open)
}

// memory is the daemon's resident set in bytes.
func (d *daemon) memory() int {
	d.T.Helper()
	pages, err := strconv.Atoi(strings.Fields(d.proc("statm"))[1])
	if err != nil {
		d.T.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// cpu is the time the daemon has computed for.
func (d *daemon) cpu() time.Duration {
	d.T.Helper()
	fields := strings.Fields(d.proc("stat")) // the name, field 2, has no space
	var ticks int
	for _, field := range fields[13:15] { // in user and kernel mode, in 1/100 s
		n, err := strconv.Atoi(field)
		if err != nil {
			d.T.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// 500 connections come and go, each in another way: nothing of them is left.
func TestConnectionsComeAndGo(t *testing.T) {
	t.Parallel()
	const growth = 64 << 20
	d := setup{args: []string{"--inbound-slots", "100"}}.start(t)
	connect(t, d).Close(false)
	d.peers(0, proc.Patience)
	descriptors, memory := d.descriptors(), d.memory()
	ends := []func(p *p2ptest.Peer){
		func(*p2ptest.Peer) {}, // without a word
		func(p *p2ptest.Peer) { p.Write(p.Frame(&p.Version)) },
		func(p *p2ptest.Peer) { p.Write(p.Frame(&p.Version)[:20]) }, // inside a frame
		func(p *p2ptest.Peer) { p.Greet() },
		func(p *p2ptest.Peer) { p.Greet(); p.Write(p.RawFrame("DchatMsg", []byte{0xff, 1, 2})) },
		func(p *p2ptest.Peer) { p.Greet(); p.CloseWrite(); p.Closed() },
		func(p *p2ptest.Peer) { p.Write([]byte("GET / HTTP/1.1\r\n\r\n")) },
	}
	for i := range 500 {
		p := p2ptest.Dial(t, transport.Default(), d.addr())
		ends[i%len(ends)](p)
		p.Close(i%2 == 0)
	}
	proc.Eventually(t, proc.Patience, func() error {
		if now := d.descriptors(); now > descriptors {
			return fmt.Errorf("%d descriptors, %d before", now, descriptors)
		}
		return nil
	})
	if now := d.memory(); now > memory+growth {
		t.Errorf("%d MiB of memory, %d MiB before", now>>20, memory>>20)
	}
	connect(t, d).Alive()
}

// With 64 descriptors and 200 clients the daemon runs out of them. It neither spins nor floods its
// log, and serves again within 2 s when the clients go.
func TestOutOfDescriptors(t *testing.T) {
	d := setup{args: []string{"--inbound-slots", "1000"}}.start(t)
	at := d.addr()
	if err := unix.Prlimit(d.Pid(), unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 64, Max: 64}, nil); err != nil {
		t.Fatal(err)
	}
	var clients []net.Conn
	for range 200 {
		c, err := net.Dial("tcp", at.HostPort())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		clients = append(clients, c)
	}
	d.Logged("Accepting a connection failed.*too many open files")
	begun, cpu := time.Now(), d.cpu()
	d.Logged(`(?s)(Accepting a connection failed.*){9}`)
	if took, computed := time.Since(begun), d.cpu()-cpu; took < time.Second || computed > took/4 {
		t.Errorf("9 failed accepts took %v, and the daemon computed for %v of it", took, computed)
	}

	begun = time.Now()
	for _, c := range clients {
		_ = c.Close()
	}
	connect(t, d).Alive()
	if took := time.Since(begun); took > 4*time.Second { // twice as long, for a machine busy with other tests
		t.Errorf("served again after %v", took)
	}
	if ask[string](d, "ping") != "pong" {
		t.Error("the RPC does not answer")
	}
}
