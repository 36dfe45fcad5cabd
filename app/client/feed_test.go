package client

import (
	"strings"
	"testing"

	"dchat/chat/jsonrpc"
	"dchat/p2p/addr"
)

// texts are what is said in the lines that a command printed.
func texts(stdout string) string {
	var said []string
	for line := range strings.Lines(stdout) {
		_, text, _ := strings.Cut(line, "> ")
		said = append(said, strings.TrimSpace(text))
	}
	return strings.Join(said, " ")
}

func wantTexts(t *testing.T, p *process, want string) {
	t.Helper()
	if got := texts(p.stdout.String()); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFollowGoesOnBehindTheHistory(t *testing.T) {
	for _, scheme := range []string{"tcp", "http+tcp"} {
		t.Run(scheme, func(t *testing.T) {
			d := startDaemon(t, addr.MustParse(scheme+"://127.0.0.1:0"))
			d.add("one", "me: mine", "two")
			p := start(t, "recv", "--follow", "-e", d.endpoint())
			p.stdout.WaitFor(t, "> two")
			d.add("three", "me: mine", "four")
			p.stdout.WaitFor(t, "> four")
			p.interrupt()
			p.wantExit(exitDone)
			wantTexts(t, p, "one two three four")
		})
	}
}

// restart makes a daemon with another history take the place of d.
func (d *fakeDaemon) restart() *fakeDaemon {
	d.t.Helper()
	at := d.server.Addr()
	d.stop()
	return startDaemon(d.t, at)
}

// replaceByStranger makes a server that knows no chat take the place of d.
func (d *fakeDaemon) replaceByStranger() {
	d.t.Helper()
	at := d.server.Addr()
	d.stop()
	stranger, err := jsonrpc.New(jsonrpc.Config{Listen: at}, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	if err := stranger.Start(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
	d.server = stranger
}

func TestFollowLeavesNoGapWhenTheConnectionBreaks(t *testing.T) {
	d := startDaemon(t)
	d.add("one", "two")
	p := start(t, "recv", "--follow", "-e", d.endpoint())
	p.stdout.WaitFor(t, "> two")
	at := d.server.Addr()
	d.stop()
	p.stderr.WaitFor(t, "-- lost the daemon at tcp://127.0.0.1:")
	d.add("three", "four")
	d.mu.Lock()
	entries, last := d.entries, d.last
	d.mu.Unlock()

	again := startDaemon(t, at) // the same history: it was the connection that broke
	again.mu.Lock()
	again.entries, again.last = entries, last
	again.mu.Unlock()
	p.stderr.WaitFor(t, "-- connected again\n")
	again.add("five")
	p.stdout.WaitFor(t, "> five")
	p.interrupt()
	p.wantExit(exitDone)
	wantTexts(t, p, "one two three four five")
}

func TestFollowSeesThatTheDaemonWasRestarted(t *testing.T) {
	for _, test := range []struct {
		name string
		new  []string // texts of the new history before the feed is back
	}{
		{"and has said nothing", nil},
		{"and has said less than before", []string{"new"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := startDaemon(t)
			d.add("one", "two", "three")
			p := start(t, "recv", "--follow", "-e", d.endpoint())
			p.stdout.WaitFor(t, "> three")
			again := d.restart()
			again.add(test.new...)
			p.stderr.WaitFor(t, "-- connected again; the daemon was restarted, and has forgotten what was before\n")
			again.add("last")
			p.stdout.WaitFor(t, "> last")
			p.interrupt()
			p.wantExit(exitDone)
			wantTexts(t, p, strings.Join(append([]string{"one two three"}, append(test.new, "last")...), " "))
		})
	}
}

func TestARestartedDaemonIsKnownByTheTimeOfItsTexts(t *testing.T) {
	d := startDaemon(t)
	d.add("one", "two")
	f := &feed{daemon: &daemon{endpoint: addr.MustParse(d.endpoint())}}
	defer f.daemon.close()
	for range 2 {
		if _, err := f.next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if restarted, err := f.restarted(t.Context()); restarted || err != nil {
		t.Errorf("the same history counts as a new one (%v)", err)
	}
	d.mu.Lock()
	d.entries[1].Time = d.entries[1].Time.Add(1)
	d.mu.Unlock()
	if restarted, err := f.restarted(t.Context()); !restarted || err != nil {
		t.Errorf("a new history counts as the same (%v)", err)
	}
}

func TestFollowEndsWhenTheDaemonRefuses(t *testing.T) {
	d := startDaemon(t)
	p := start(t, "recv", "--follow", "-e", d.endpoint())
	d.add("one")
	p.stdout.WaitFor(t, "> one")
	d.replaceByStranger()
	p.wantExit(exitFailed)
	p.stderr.WaitFor(t, "does not know this command")
}

func TestFollowTellsWhatIsNoLongerKept(t *testing.T) {
	d := startDaemon(t)
	d.add("one", "two", "three")
	d.forget(2)
	p := start(t, "recv", "--follow", "-e", d.endpoint())
	p.stdout.WaitFor(t, "> three")
	p.stderr.WaitFor(t, "-- missing here: 2 texts, no longer kept\n")
	p.interrupt()
	p.wantExit(exitDone)
}

func TestNewest(t *testing.T) {
	d := startDaemon(t)
	remote := &daemon{endpoint: addr.MustParse(d.endpoint())}
	defer remote.close()
	for want := range uint64(12) {
		if got, err := remote.newest(t.Context()); got != want || err != nil {
			t.Errorf("got %d and %v, want %d", got, err, want)
		}
		d.add("more")
		if want > 5 {
			d.forget(1)
		}
	}
}
