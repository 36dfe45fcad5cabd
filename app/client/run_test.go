package client

import (
	"context"
	"encoding/json"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dchat/app/internal/apptest"
	"dchat/chat"
	"dchat/chat/jsonrpc"
	"dchat/chat/rpc"
)

// nobodyThere is an endpoint at which nothing listens.
func nobodyThere(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return "tcp://" + l.Addr().String()
}

func TestWrongUsageIsExitCode2(t *testing.T) {
	for _, test := range []struct {
		name   string
		args   []string
		stderr string
	}{
		{"unknown command", []string{"snd"}, `unknown command "snd" for "dchat" Did you mean this? send`},
		{"unknown flag", []string{"recv", "--folow"}, "unknown flag: --folow"},
		{"nothing to send", []string{"send"}, "nothing to send: give a text, or - for lines"},
		{"a text that looks like a flag", []string{"send", "-5", "degrees"}, "a text that begins with a dash goes behind --"},
		{"empty text", []string{"send", ""}, "it is empty"},
		{"text too long", []string{"send", strings.Repeat("x", 65537)}, "it has 65537 bytes"},
		{"text not UTF-8", []string{"send", "a\xff"}, "not valid UTF-8"},
		{"arguments where none are taken", []string{"peers", "all"}, `dchat peers takes no arguments, but was given "all"`},
		{"no ban to lift", []string{"bans", "lift"}, "no host is named: see `dchat bans`"},
		{"a word bans does not know", []string{"bans", "remove"}, `unknown command "remove" for "dchat bans"`},
		{"endpoint without a port", []string{"ping", "-e", "tcp://127.0.0.1"}, `"tcp://127.0.0.1" is no endpoint: write it as tcp://127.0.0.1:51054`},
		{"endpoint of another scheme", []string{"ping", "-e", "tls://127.0.0.1:1"}, "write it as"},
		{"endpoint without a scheme", []string{"ping", "-e", "127.0.0.1:51054"}, "write it as"},
		{"too few nodes", []string{"localnet", "--nodes", "1"}, "--nodes 1: give a number from 2 to 50"},
		{"too many nodes", []string{"localnet", "--nodes", "51"}, "--nodes 51: give a number from 2 to 50"},
		{"negative time", []string{"localnet", "--exit-after", "-1s"}, "give a time such as 5s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := runWith(t, nil, "", test.args...)
			r.want(t, exitUsage, "", test.stderr)
			if !strings.Contains(r.stderr, "--help` to see what it takes") {
				t.Errorf("no word about the help in %q", r.stderr)
			}
		})
	}
}

func TestNoDaemonIsExitCode3AndSaysWhatToDo(t *testing.T) {
	endpoint := nobodyThere(t)
	for _, args := range [][]string{{"ping"}, {"send", "hi"}, {"send", "-"}, {"recv"}, {"recv", "--follow"}, {"chat"}, {"peers"}, {"bans"}, {"bans", "lift", "h"}, {"reload"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			runWith(t, nil, "line\n", append(args, "-e", endpoint)...).want(t, exitUnreachable, "",
				"no daemon at "+endpoint+" (connect: connection refused): start one with `dchatd`, or name another with --endpoint")
		})
	}
	t.Run("http", func(t *testing.T) {
		runWith(t, nil, "", "ping", "-e", "http+"+endpoint).want(t, exitUnreachable, "", "no daemon at http+"+endpoint)
	})
	t.Run("unix", func(t *testing.T) {
		runWith(t, nil, "", "ping", "-e", "unix://"+filepath.Join(t.TempDir(), "none")).want(t, exitUnreachable, "", "no such file")
	})
	t.Run("something else", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		go func() {
			if conn, err := l.Accept(); err == nil {
				_, _ = conn.Read(make([]byte, 4096)) // of what is unread the end would be a reset
				_ = conn.Close()
			}
		}()
		runWith(t, nil, "", "ping", "-e", "tcp://"+l.Addr().String()).want(t, exitFailed, "", "if it does so each time, check --endpoint")
	})
	t.Run("silent", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0") // accepts in the kernel, and never answers
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		var stdout, stderr strings.Builder
		code := Run(ctx, []string{"ping", "-e", "tcp://" + l.Addr().String()}, nil, nil, &stdout, &stderr)
		result{code, stdout.String(), stderr.String()}.want(t, exitUnreachable, "", "did not answer")
	})
}

func TestEndpointComesFromTheFlagThenTheEnvironment(t *testing.T) {
	d := startDaemon(t)
	env := []string{"HOME=/", "DCHAT_ENDPOINT=" + d.endpoint()}
	runWith(t, env, "", "ping").want(t, exitDone, "pong from tcp://127.0.0.1:", "")
	runWith(t, env, "", "ping", "-e", nobodyThere(t)).want(t, exitUnreachable, "", "no daemon")
}

func TestEveryCommandHasHelpAndAnExample(t *testing.T) {
	runWith(t, nil, "", "--version").want(t, exitDone, "dchat version ", "")
	runWith(t, nil, "", "--help").want(t, exitDone, "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the daemon is not reachable,\n4 the text was sent to nobody", "")
	for _, name := range []string{"chat", "send", "recv", "peers", "bans", "reload", "ping", "localnet"} {
		runWith(t, nil, "", name, "--help").want(t, exitDone, "Examples:\n  dchat "+name, "")
	}
}

func TestSend(t *testing.T) {
	d := startDaemon(t)
	runWith(t, nil, "", "send", "-e", d.endpoint(), "hello", "everybody").want(t, exitDone, "sent to 1 peer\n", "")
	d.peers = append(d.peers, rpc.Peer{})
	runWith(t, nil, "", "send", "-e", d.endpoint(), "--", "-5 degrees").want(t, exitDone, "sent to 2 peers\n", "")
	if got, want := d.sentTexts(), []string{"hello everybody", "-5 degrees"}; !slices.Equal(got, want) {
		t.Errorf("sent %q, want %q", got, want)
	}
}

func TestSendToNobodyIsExitCode4(t *testing.T) {
	d := startDaemon(t)
	d.peers = nil
	runWith(t, nil, "", "send", "-e", d.endpoint(), "hello").want(t, exitNobody, "", "nobody is connected: not sent; see `dchat peers`")
	runWith(t, nil, "one\ntwo\n", "send", "-e", d.endpoint(), "-").want(t, exitNobody, "", "line 1: nobody is connected")
}

func TestSendLines(t *testing.T) {
	long := strings.Repeat("x", 65536)
	for _, test := range []struct {
		name, input    string
		code           int
		sent           []string
		stdout, stderr string
	}{
		{"in order, without empty ones", "one\n\ntwo\r\nthree", exitDone, []string{"one", "two", "three"}, "3 texts sent to 1 peer\n", ""},
		{"nothing", "\n\n", exitDone, nil, "nothing sent\n", ""},
		{"the longest", long + "\r\n" + long, exitDone, []string{long, long}, "2 texts sent to 1 peer\n", ""},
		{"too long", "one\n" + long + "xx\nthree\n", exitFailed, []string{"one"}, "", "line 2: the line is too long: at most 65536 bytes can be sent (1 text before it sent, none after it)"},
		{"not UTF-8", "one\na\xff\n", exitFailed, []string{"one"}, "", "line 2: the text cannot be sent: it is not valid UTF-8"},
		{"to nobody from some line on", "one\n\nbad\nfour\n", exitNobody, []string{"one"}, "", "line 3: nobody is connected"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := startDaemon(t)
			d.refuse = func(text string) *jsonrpc.Error {
				if text == "bad" {
					return &jsonrpc.Error{Code: rpc.CodeNoPeers}
				}
				return nil
			}
			runWith(t, nil, test.input, "send", "-e", d.endpoint(), "-").want(t, test.code, test.stdout, test.stderr)
			if !slices.Equal(d.sentTexts(), test.sent) {
				t.Errorf("sent %.100q", d.sentTexts())
			}
		})
	}
}

func TestSendLinesTellsForHowManyPeersEachWasTaken(t *testing.T) {
	d := startDaemon(t)
	p := start(t, "send", "-e", d.endpoint(), "-")
	p.typeLine("to one")
	waitUntil(t, func() bool { return len(d.sentTexts()) == 1 })
	d.mu.Lock()
	d.peers = append(d.peers, rpc.Peer{}, rpc.Peer{})
	d.mu.Unlock()
	p.typeLine("to three")
	_ = p.stdin.Close()
	p.WantExit(exitDone)
	if got, want := p.Stdout.String(), "2 texts sent, each to 1 to 3 peers\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSendLinesCanBeInterrupted(t *testing.T) {
	d := startDaemon(t)
	p := start(t, "send", "-e", d.endpoint(), "-")
	p.typeLine("one")
	waitUntil(t, func() bool { return len(d.sentTexts()) == 1 })
	p.End()
	p.WantExit(exitFailed)
	if got := p.Stderr.String(); !strings.Contains(got, "interrupted") {
		t.Errorf("got %q", got)
	}
}

func TestErrorsOfTheDaemonAreExplained(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer jsonrpc.Error
		stderr string
	}{
		{"it refuses the text", jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: "invalid params", Data: "too silly"}, "refused: too silly\n"},
		{"it stops", jsonrpc.Error{Code: rpc.CodeNotRunning, Message: "not running"}, "is starting or stopping: try again"},
		{"it does not know the method", jsonrpc.Error{Code: jsonrpc.CodeMethodNotFound, Message: "method not found"}, "rpc_disabled_methods"},
		{"it failed", jsonrpc.Error{Code: jsonrpc.CodeInternal, Message: "internal error"}, "answered with an error: internal error (-32603)"},
		{"it is hostile", jsonrpc.Error{Code: 1, Message: "\x1b[2J\u202e"}, `answered with an error: \u001b[2J\u202e (1)`},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := startDaemon(t)
			d.refuse = func(string) *jsonrpc.Error { return &test.answer }
			runWith(t, nil, "", "send", "-e", d.endpoint(), "hi").want(t, exitFailed, "", test.stderr)
		})
	}
}

func TestSomethingElseAtTheEndpoint(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if conn, err := l.Accept(); err == nil {
			_, _ = conn.Write([]byte("SSH-2.0-\x1b[2J\r\n"))
			_ = conn.Close()
		}
	}()
	r := runWith(t, nil, "", "ping", "-e", "tcp://"+l.Addr().String())
	r.want(t, exitFailed, "", "is no dchat daemon")
	if strings.Contains(r.stderr, "\x1b") {
		t.Errorf("%q reaches the terminal", r.stderr)
	}
	_ = l.Close()
	<-done
}

func TestPeers(t *testing.T) {
	d := startDaemon(t)
	d.peers = []rpc.Peer{
		{Addr: "tcp://203.0.113.9:2/", Session: "inbound", Connected: "2026-03-04T05:06:08Z", Version: "dchatd 0.4.1\x1b[2J", MessagesIn: 3, MessagesOut: 4, BytesIn: 50, BytesOut: 60},
		{Addr: "tcp+tls://203.0.113.7:1/", Session: "manual", Connected: "2026-03-04T05:06:07Z", Version: "dchatd 0.4.1"},
	}
	r := runWith(t, nil, "", "peers", "-e", d.endpoint())
	lines := strings.Split(r.stdout, "\n")
	if len(lines) != 4 || strings.Join(strings.Fields(lines[0]), " ") != "ADDRESS SESSION DIR AGE MESSAGES IN OUT BYTES IN OUT VERSION" {
		t.Fatalf("got\n%s", r.stdout)
	}
	for i, want := range []string{"tcp+tls://203.0.113.7:1 manual out * 0 0 0 0 dchatd 0.4.1", `tcp://203.0.113.9:2 inbound in * 3 4 50 60 dchatd 0.4.1\u001b[2J`} {
		fields := strings.Fields(lines[i+1])
		fields[3] = "*" // its age
		if got := strings.Join(fields, " "); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}

	r = runWith(t, nil, "", "peers", "--json", "-e", d.endpoint())
	var p rpc.Peer
	decodeLine(t, strings.Split(r.stdout, "\n")[1], &p)
	if want := d.peers[1]; p.Addr != "tcp://203.0.113.9:2/" || p.Version != "dchatd 0.4.1\x1b[2J" || p.BytesIn != 50 {
		t.Errorf("got %+v, want %+v", p, want)
	}

	d.peers = []rpc.Peer{}
	runWith(t, nil, "", "peers", "-e", d.endpoint()).want(t, exitDone, "nobody is connected\n", "")
	runWith(t, nil, "", "peers", "--json", "-e", d.endpoint()).want(t, exitDone, "", "")
}

func TestAge(t *testing.T) {
	now := theTime
	for since, want := range map[string]string{
		"2026-03-04T05:06:07Z":      "0s",
		"2026-03-04T04:05:05+00:00": "1h1m2s",
		"2026-03-04T05:07:07Z":      "0s", // a clock that differs
		"yesterday":                 "?",
	} {
		if got := age(since, now); got != want {
			t.Errorf("age(%q) = %s, want %s", since, got, want)
		}
	}
}

func TestClockNamesTheDayWhenItIsAnother(t *testing.T) {
	if got := clock(theTime, theTime.Add(time.Hour)); got != "05:06:07" {
		t.Errorf("got %s", got)
	}
	if got := clock(theTime, theTime.Add(24*time.Hour)); got != "2026-03-04 05:06:07" {
		t.Errorf("got %s", got)
	}
}

func TestRecv(t *testing.T) {
	d := startDaemon(t)
	d.add("one", "me: mine", "two\x1b[2J\nlines")
	for range 3 * pageSize {
		d.add("more")
	}
	r := runWith(t, nil, "", "recv", "-e", d.endpoint())
	lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
	if len(lines) != 2+3*pageSize {
		t.Fatalf("%d lines:\n%s", len(lines), r.stdout)
	}
	at := func(seq int) string {
		return theTime.Add(time.Duration(seq) * time.Second).Local().Format(time.DateTime)
	}
	for i, want := range []string{at(1) + " <tcp://203.0.113.7:51554> one", at(3) + ` <tcp://203.0.113.7:51554> two\u001b[2J⏎lines`} {
		if lines[i] != want {
			t.Errorf("got  %s\nwant %s", lines[i], want)
		}
	}
}

func TestRecvJSONIsOneObjectALineAndLosesNothing(t *testing.T) {
	d := startDaemon(t)
	text := "<two>\x1b[2J\nlines\u202e\u009b"
	d.add("gone", text)
	d.forget(1)
	r := runWith(t, nil, "", "recv", "--json", "-e", d.endpoint())
	r.want(t, exitDone, `"text":"<two>\u001b[2J\nlines\u202e\u009b"`, "-- missing here: 1 text, no longer kept\n")
	var e rpc.Entry
	decodeLine(t, r.stdout, &e)
	if want := (rpc.Entry{Run: d.run, Seq: 2, Time: theTime.Add(2 * time.Second), Direction: "in", Addr: "tcp://203.0.113.7:51554/", Text: text, Missed: 1}); e != want {
		t.Errorf("got %+v, want %+v", e, want)
	}
	if strings.Count(r.stdout, "\n") != 1 {
		t.Errorf("not one line: %q", r.stdout)
	}
}

// A page of the worst texts that peers can send is within the 64 MiB that the
// client of the RPC reads.
func TestAPageOfTheWorstTextsFits(t *testing.T) {
	encoded, err := json.Marshal(rpc.Entry{Text: strings.Repeat("\x01", chat.MaxReceive)})
	if err != nil {
		t.Fatal(err)
	}
	if page := pageSize * len(encoded); page > 63<<20 {
		t.Errorf("%d bytes", page)
	}
}

// waitUntil waits for something that tells of itself in no other way.
func waitUntil(t *testing.T, done func() bool) {
	t.Helper()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	timeout := time.After(apptest.Patience)
	for !done() {
		select {
		case <-look.C:
		case <-timeout:
			t.Fatal("waited in vain")
		}
	}
}
