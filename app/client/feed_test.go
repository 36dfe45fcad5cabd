package client

import (
	"fmt"
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
	if got := texts(p.Stdout.String()); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFollowGoesOnBehindTheHistory(t *testing.T) {
	for _, scheme := range []string{"tcp", "http+tcp"} {
		t.Run(scheme, func(t *testing.T) {
			d := startDaemon(t, addr.MustParse(scheme+"://127.0.0.1:0"))
			d.add("one", "me: mine", "two")
			p := start(t, "recv", "--follow", "-e", d.endpoint())
			p.Stdout.WaitFor(t, "> two")
			d.add("three", "me: mine", "four")
			p.Stdout.WaitFor(t, "> four")
			p.End()
			p.WantExit(exitDone)
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
	p.Stdout.WaitFor(t, "> two")
	at := d.server.Addr()
	d.stop()
	p.Stderr.WaitFor(t, "-- lost the daemon at tcp://127.0.0.1:")
	d.add("three", "four")
	d.mu.Lock()
	run, entries, last := d.run, d.entries, d.last
	d.mu.Unlock()

	again := startDaemon(t, at) // the same history: it was the connection that broke
	again.mu.Lock()
	again.run, again.entries, again.last = run, entries, last
	again.mu.Unlock()
	p.Stderr.WaitFor(t, "-- connected again\n")
	again.add("five")
	p.Stdout.WaitFor(t, "> five")
	p.End()
	p.WantExit(exitDone)
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
			p.Stdout.WaitFor(t, "> three")
			again := d.restart()
			again.add(test.new...)
			p.Stderr.WaitFor(t, "-- connected again; the daemon was restarted, and has forgotten what was before\n")
			again.add("last")
			p.Stdout.WaitFor(t, "> last")
			p.End()
			p.WantExit(exitDone)
			wantTexts(t, p, strings.Join(append([]string{"one two three"}, append(test.new, "last")...), " "))
		})
	}
}

func TestARestartedDaemonIsKnownByTheRunOfItsTexts(t *testing.T) {
	for name, test := range map[string]struct {
		run, said, next string
	}{
		"the same run": {"first", "connected again", "three"},
		"another run":  {"second", "connected again; the daemon was restarted, and has forgotten what was before", "one"},
	} {
		t.Run(name, func(t *testing.T) {
			d := startDaemon(t)
			d.run = "first"
			d.add("one", "two")
			var said string
			f := &feed{
				daemon: &daemon{endpoint: addr.MustParse(d.endpoint())}, follow: true,
				say: func(format string, args ...any) { said = fmt.Sprintf(format, args...) },
			}
			defer f.daemon.close()
			for range 2 {
				if _, err := f.next(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			d.add("three")
			d.mu.Lock()
			for i := range d.entries { // a history that differs in nothing else
				d.entries[i].Run = test.run
			}
			d.mu.Unlock()
			f.lost = true
			if e, err := f.next(t.Context()); e.Text != test.next || said != test.said || err != nil {
				t.Errorf("read %q and said %q, %v", e.Text, said, err)
			}
		})
	}
}

func TestFollowEndsWhenTheDaemonRefuses(t *testing.T) {
	d := startDaemon(t)
	p := start(t, "recv", "--follow", "-e", d.endpoint())
	d.add("one")
	p.Stdout.WaitFor(t, "> one")
	d.replaceByStranger()
	p.WantExit(exitFailed)
	p.Stderr.WaitFor(t, "does not know this command")
}

func TestFollowTellsWhatIsNoLongerKept(t *testing.T) {
	d := startDaemon(t)
	d.add("one", "two", "three")
	d.forget(2)
	p := start(t, "recv", "--follow", "-e", d.endpoint())
	p.Stdout.WaitFor(t, "> three")
	p.Stderr.WaitFor(t, "-- missing here: 2 texts, no longer kept\n")
	p.End()
	p.WantExit(exitDone)
}

func TestNewest(t *testing.T) {
	d := startDaemon(t)
	remote := &daemon{endpoint: addr.MustParse(d.endpoint())}
	defer remote.close()
	for want := range uint64(3) {
		got, err := remote.newest(t.Context())
		if got.Seq != want || (got.Run == d.run) != (want > 0) || err != nil {
			t.Errorf("got %+v and %v, want %d", got, err, want)
		}
		d.add("more")
	}
}
