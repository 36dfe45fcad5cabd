package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"dchat/chat/jsonrpc"
	"dchat/cmd/internal/proc"
	"dchat/p2p/p2ptest"
	"dchat/p2p/transport"
)

// connect makes the test a peer of the daemon.
func connect(t *testing.T, d *daemon) *p2ptest.Peer {
	t.Helper()
	p := p2ptest.Dial(t, transport.Default(), d.addr())
	p.Greet()
	return p
}

// messages gives the messages of a log in JSON that are among those.
func messages(t *testing.T, log string, among []string) []string {
	t.Helper()
	var found []string
	for line := range strings.Lines(log) {
		var entry struct{ Msg string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Errorf("a log line that is not JSON: %q", line)
		}
		if slices.Contains(among, entry.Msg) {
			found = append(found, entry.Msg)
		}
	}
	return found
}

// Each of the three signals ends the daemon with status 0; it says so in these words, and its
// peers and clients see their streams end.
func TestSignalsStopIt(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			d := setup{args: []string{"--log-format", "json"}}.start(t)
			peer, client := connect(t, d), d.Client()
			events, err := client.Subscribe(t.Context(), "chat.subscribe", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = events.Close() }()
			d.Signal(sig)
			if rest := peer.Closed(); len(rest) > 1 || len(rest) == 1 && rest[0].Command != "getaddr" {
				t.Errorf("the peer was sent a farewell: %v", rest)
			}
			peer.Close(false)
			if _, err := events.Next(t.Context()); err == nil {
				t.Error("the subscription goes on")
			}
			if code := d.Exit(); code != 0 {
				t.Errorf("status %d", code)
			}
			want := []string{
				"Starting JSON-RPC server on port " + d.RPC.String(),
				"Starting P2P network",
				"Caught termination signal, cleaning up and exiting...",
				"Stopping JSON-RPC server",
				"Stopping P2P network",
				"Shut down successfully",
			}
			if got := messages(t, d.Stderr(), want); !slices.Equal(got, want) {
				t.Errorf("logged %q, want %q", got, want)
			}
			if path, _ := d.RPC.FilePath(); exists(path) {
				t.Error("the socket of the RPC was left behind")
			}
			if d.Stdout() != "" {
				t.Errorf("on standard output: %q", d.Stdout())
			}
		})
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// A peer that does not read makes the stop last. A second SIGINT does not wait for it.
func TestSecondInterruptAborts(t *testing.T) {
	t.Parallel()
	d := setup{}.start(t)
	clog(t, d)
	d.Signal(syscall.SIGINT)
	d.Logged("Stopping P2P network")
	d.Signal(syscall.SIGINT)
	if code := d.Exit(); code != 130 {
		t.Errorf("status %d, want 130", code)
	}
	if strings.Contains(d.Stderr(), "Shut down successfully") {
		t.Error("it was not aborted")
	}
}

// clog connects a peer that reads nothing, and sends it texts until they pile up in the daemon.
func clog(t *testing.T, d *daemon) *p2ptest.Peer {
	t.Helper()
	peer := connect(t, d)
	c := d.Client()
	proc.Eventually(t, proc.Patience, func() error {
		err := c.Call(t.Context(), "send", []string{strings.Repeat("x", 64<<10)}, nil)
		if failure := (*jsonrpc.Error)(nil); err != nil && !errors.As(err, &failure) {
			t.Fatal(err)
		}
		if err == nil {
			return fmt.Errorf("the texts still get out")
		}
		return nil
	})
	return peer
}

// SIGTERM at any moment of the start ends it: either nothing of it has begun, or it stops as it
// should. The home is the same all the time, so each start has to be clean after the one before.
func TestSignalWhileStarting(t *testing.T) {
	t.Parallel()
	home := proc.NewHome(t)
	begun := time.Now()
	setup{home: home}.start(t).Stop()
	usual := time.Since(begun)
	killed := 0
	for range 20 {
		moment := rand.N(usual)
		d := setup{home: home}.launch(t)
		<-time.After(moment)
		d.Signal(syscall.SIGTERM)
		switch code := d.Exit(); {
		case code == 0 && strings.HasSuffix(d.Stderr(), "Shut down successfully\n"):
		case code == -int(syscall.SIGTERM) && d.Stderr() == "":
			killed++ // before the program had its first word
		default:
			t.Errorf("SIGTERM after %v: status %d, logged\n%s", moment, code, d.LogTail())
		}
	}
	t.Logf("%d of 20 were killed before they had begun; a start and stop takes %v", killed, usual)
	setup{home: home}.start(t).Stop()
}

// SIGTERM as soon as a line of the start is logged, for every line from the first thing that is
// started: the next start is clean.
func TestSignalAfterEachLineOfTheStart(t *testing.T) {
	t.Parallel()
	s := setup{home: proc.NewHome(t), args: []string{"-v"}}
	s.start(t).Stop() // writes the configuration file
	first := s.start(t)
	before, during, _ := strings.Cut(first.Stderr(), "OnStart")
	first.Stop()
	begin, end := strings.Count(before, "\n")+1, strings.Count(before+during, "\n")
	if end-begin < 5 {
		t.Fatalf("%d lines in the log of a start", end-begin)
	}
	for n := begin; n <= end; n++ {
		d := s.launch(t)
		proc.Eventually(t, proc.Patience, func() error {
			if got := strings.Count(d.Stderr(), "\n"); got < n {
				return fmt.Errorf("%d lines, want %d", got, n)
			}
			return nil
		})
		d.Stop()
		if !strings.HasSuffix(d.Stderr(), "Shut down successfully\n") {
			t.Errorf("SIGTERM after line %d: logged\n%s", n, d.LogTail())
		}
	}
	if last := s.start(t); ask[string](last, "ping") != "pong" {
		t.Error("the last start does not answer")
	}
}

// A daemon outlives its terminal, and whoever reads its log.
func TestLostTerminal(t *testing.T) {
	t.Parallel()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	d := setup{stderr: writer, args: []string{"-v"}}.launch(t)
	_ = writer.Close()
	if ask[string](d, "ping") != "pong" {
		t.Fatal("no answer")
	}
	_ = reader.Close() // from now on every line of the log is a SIGPIPE
	for range 3 {
		d.Signal(syscall.SIGHUP)
		ask[string](d, "ping")
	}
	info := ask[rpcInfo](d, "p2p.get_info")
	if len(info.Channels) != 0 {
		t.Errorf("%+v", info)
	}
	d.Stop()
}
