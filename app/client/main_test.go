package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"dchat/app/doctor"
	"dchat/app/internal/apptest"
	"dchat/chat/jsonrpc"
	"dchat/chat/rpc"
	"dchat/p2p/addr"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeDaemon answers the methods the command uses, out of a history that the test
// writes.
type fakeDaemon struct {
	t      *testing.T
	server *jsonrpc.Server

	mu      sync.Mutex
	run     string
	entries []rpc.Entry
	last    uint64
	peers   []rpc.Peer
	slots   []rpc.Slot
	bans    []rpc.Ban
	reload  func() (rpc.Reloaded, error)
	doctor  func() (any, error)
	sent    []string
	refuse  func(text string) *jsonrpc.Error // for chat.send
	changed chan struct{}                    // closed at the next entry
}

var theTime = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// startDaemon starts a daemon with one peer, at the address or any free port.
func startDaemon(t *testing.T, at ...addr.Addr) *fakeDaemon {
	t.Helper()
	d := &fakeDaemon{t: t, run: rand.Text(), peers: []rpc.Peer{{Addr: "tcp://203.0.113.7:51554/", Session: "manual"}}, changed: make(chan struct{})}
	listen := addr.MustParse("tcp://127.0.0.1:0")
	if len(at) > 0 {
		listen = at[0]
	}
	server, err := jsonrpc.New(jsonrpc.Config{Listen: listen}, map[string]jsonrpc.Handler{
		"ping":           func(context.Context, *jsonrpc.Call) (any, error) { return "pong", nil },
		"p2p.peers":      func(context.Context, *jsonrpc.Call) (any, error) { return d.peers, nil },
		"p2p.slots":      func(context.Context, *jsonrpc.Call) (any, error) { return d.slots, nil },
		"p2p.bans":       func(context.Context, *jsonrpc.Call) (any, error) { return d.bans, nil },
		"p2p.unban":      d.unban,
		"p2p.reload":     rpc.ReloadMethods(func() (rpc.Reloaded, error) { return d.reload() })["p2p.reload"],
		doctor.Method:    func(context.Context, *jsonrpc.Call) (any, error) { return d.doctor() },
		"chat.send":      d.chatSend,
		"chat.history":   d.chatHistory,
		"chat.subscribe": d.chatSubscribe,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.server = server
	t.Cleanup(d.stop)
	return d
}

func (d *fakeDaemon) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := d.server.Stop(ctx); err != nil {
		d.t.Error(err)
	}
}

func (d *fakeDaemon) endpoint() string { return d.server.Addr().String() }

// add puts texts into the history: what begins with "me: " was sent.
func (d *fakeDaemon) add(texts ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, text := range texts {
		e := rpc.Entry{Direction: "in", Addr: "tcp://203.0.113.7:51554/", Text: text}
		if mine, ok := strings.CutPrefix(text, "me: "); ok {
			e.Direction, e.Addr, e.Text = "out", "", mine
		}
		d.append(e)
	}
}

func (d *fakeDaemon) append(e rpc.Entry) {
	d.last++
	e.Run, e.Seq, e.Time = d.run, d.last, theTime.Add(time.Duration(d.last)*time.Second)
	d.entries = append(d.entries, e)
	close(d.changed)
	d.changed = make(chan struct{})
}

// forget drops the oldest entries.
func (d *fakeDaemon) forget(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.entries = d.entries[n:]
}

func (d *fakeDaemon) sentTexts() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sent
}

func (d *fakeDaemon) after(seq uint64) (entries []rpc.Entry, changed chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.entries {
		if e.Seq > seq {
			entries = append(entries, e)
		}
	}
	return entries, d.changed
}

func (d *fakeDaemon) unban(_ context.Context, c *jsonrpc.Call) (any, error) {
	var host string
	if err := c.Args(&host); err != nil {
		return nil, err
	}
	was := len(d.bans)
	d.bans = slices.DeleteFunc(d.bans, func(b rpc.Ban) bool { return b.Host == host })
	return len(d.bans) < was, nil
}

func (d *fakeDaemon) chatSend(_ context.Context, c *jsonrpc.Call) (any, error) {
	var text string
	if err := c.Args(&text); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.refuse != nil {
		if refusal := d.refuse(text); refusal != nil {
			return nil, refusal
		}
	}
	if len(d.peers) == 0 {
		return nil, &jsonrpc.Error{Code: rpc.CodeNoPeers, Message: "no peers connected"}
	}
	d.sent = append(d.sent, text)
	d.append(rpc.Entry{Direction: "out", Text: text})
	return rpc.Receipt{Seq: d.last, Peers: len(d.peers)}, nil
}

func (d *fakeDaemon) chatHistory(_ context.Context, c *jsonrpc.Call) (any, error) {
	var params struct {
		historyParams
		Last int `json:"last"`
	}
	if err := c.Object(&params); err != nil {
		return nil, err
	}
	entries, _ := d.after(params.After)
	if params.Limit > 0 {
		entries = entries[:min(params.Limit, len(entries))]
	}
	if params.Last > 0 {
		entries = entries[max(0, len(entries)-params.Last):]
	}
	return append([]rpc.Entry{}, entries...), nil
}

func (d *fakeDaemon) chatSubscribe(_ context.Context, c *jsonrpc.Call) (any, error) {
	var params historyParams
	if err := c.Object(&params); err != nil {
		return nil, err
	}
	c.Stream(func(ctx context.Context, notify jsonrpc.Notify) error {
		for seen := params.After; ; {
			entries, changed := d.after(seen)
			for _, e := range entries {
				seen = e.Seq
				if err := notify(e); err != nil {
					return err
				}
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return nil
			}
		}
	})
	return true, nil
}

// process is a command that runs.
type process struct {
	*apptest.Running
	t     *testing.T
	stdin *io.PipeWriter // nil, and Stdout too, when it runs on a terminal
}

// start runs a command with an input that stays open.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	in, stdin := io.Pipe()
	stdout := apptest.NewOutput()
	p := startOn(t, in, stdout, args...)
	p.stdin, p.Stdout = stdin, stdout
	t.Cleanup(func() { _ = stdin.Close() })
	return p
}

// startOn runs a command on an input and an output.
func startOn(t *testing.T, stdin io.Reader, stdout io.Writer, args ...string) *process {
	stderr := apptest.NewOutput()
	return &process{t: t, Running: apptest.Start(t, nil, stderr, func(ctx context.Context) int {
		return Run(ctx, args, nil, stdin, stdout, stderr)
	})}
}

func (p *process) typeLine(text string) {
	p.t.Helper()
	if _, err := fmt.Fprintln(p.stdin, text); err != nil {
		p.t.Fatal(err)
	}
}

// result is what a command that has ended left.
type result struct {
	code           int
	stdout, stderr string
}

// runWith runs a command to its end.
func runWith(t *testing.T, env []string, stdin string, args ...string) result {
	t.Helper()
	var stdout, stderr strings.Builder
	code := Run(t.Context(), args, env, strings.NewReader(stdin), &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

func (r result) want(t *testing.T, code int, stdout, stderr string) {
	t.Helper()
	if r.code != code || !strings.Contains(r.stdout, stdout) || !strings.Contains(r.stderr, stderr) {
		t.Errorf("got exit code %d, stdout %q, stderr %q\nwant %d, %q, %q", r.code, r.stdout, r.stderr, code, stdout, stderr)
	}
}

func decodeLine(t *testing.T, line string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(line), v); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
}
