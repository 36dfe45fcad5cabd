package localnet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"dchat/chat"
	"dchat/p2p"
	"dchat/p2p/addr"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, config Config) *Network {
	t.Helper()
	n, err := Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, n) })
	return n
}

func stop(t *testing.T, n *Network) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := n.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// heard are the next texts that the first node receives.
func heard(t *testing.T, n *Network, count int) (texts []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for len(texts) < count {
		e, _, err := n.Next(ctx)
		if err != nil {
			t.Fatalf("heard %q, then %v", texts, err)
		}
		if e.Direction == chat.Received {
			texts = append(texts, e.Text)
		}
	}
	slices.Sort(texts)
	return texts
}

func TestEveryOtherNodeAnswersTheFirst(t *testing.T) {
	for _, config := range []Config{{Nodes: 2}, {Nodes: 5}, {Nodes: 3, TLS: true}} {
		t.Run(fmt.Sprintf("%+v", config), func(t *testing.T) {
			n := start(t, config)
			for i, a := range n.Addrs() {
				if tls := a.Scheme() == "tcp+tls"; tls != config.TLS || a.Hostname() != "127.0.0.1" {
					t.Errorf("node %d is at %s", i+1, a)
				}
			}
			receipt, err := n.Send(t.Context(), "hello")
			if err != nil || receipt.Peers != config.Nodes-1 {
				t.Fatalf("%+v, %v", receipt, err)
			}
			for i, text := range heard(t, n, config.Nodes-1) {
				var took string
				if _, err := fmt.Sscanf(text, fmt.Sprintf("node %d got “hello” after %%s", i+2), &took); err != nil {
					t.Errorf("heard %q", text)
				}
				if d, err := time.ParseDuration(took); err != nil || d < 0 || d > 10*time.Second {
					t.Errorf("it took %q", took)
				}
			}
		})
	}
}

// With answers to answers there would be more texts than these, and no end of them.
func TestNobodyAnswersAnAnswer(t *testing.T) {
	const nodes, texts = 4, 20
	n := start(t, Config{Nodes: nodes})
	for i := range texts {
		if _, err := n.Send(t.Context(), fmt.Sprint("text ", i)); err != nil {
			t.Fatal(err)
		}
	}
	heard(t, n, texts*(nodes-1))
	for i, c := range n.chats[1:] {
		// the texts, the node's own answers, and those of the others
		want := texts + texts + texts*(nodes-2)
		sub := c.History().SubscribeAfter(uint64(want - 1))
		if _, _, err := sub.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
		if entries, _ := c.History().After(0, 0); len(entries) != want {
			t.Errorf("node %d has %d texts, want %d", i+2, len(entries), want)
		}
	}
}

func TestAGuestHearsAndIsHeardAndIsNotAnswered(t *testing.T) {
	n := start(t, Config{Nodes: 3})
	settings := p2p.DefaultSettings()
	settings.Peers = n.Addrs()
	settings.Localnet = true
	node, err := p2p.New(settings)
	if err != nil {
		t.Fatal(err)
	}
	guest, err := chat.Join(node, chat.DefaultSettings())
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := node.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	sub := guest.History().Subscribe()
	for sent := 0; sent < 3; {
		receipt, err := guest.Send(t.Context(), "I am new")
		if err != nil && !errors.Is(err, chat.ErrNoPeers) {
			t.Fatal(err)
		}
		sent = receipt.Peers
	}
	if got := heard(t, n, 1); got[0] != "I am new" {
		t.Errorf("heard %q", got)
	}
	if _, err := n.Send(t.Context(), "welcome"); err != nil {
		t.Fatal(err)
	}
	for welcomed := 0; welcomed < 3; {
		e, _, err := sub.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if e.Direction == chat.Received {
			if !strings.Contains(e.Text, "welcome") {
				t.Errorf("the guest hears %q", e.Text)
			}
			welcomed++
		}
	}
}

func TestAnAnswerQuotesTheBeginningOfALongText(t *testing.T) {
	n := start(t, Config{Nodes: 2})
	if _, err := n.Send(t.Context(), strings.Repeat("ä", 30_000)); err != nil {
		t.Fatal(err)
	}
	if got := heard(t, n, 1)[0]; !strings.HasPrefix(got, "node 2 got “"+strings.Repeat("ä", 60)+"…” after ") {
		t.Errorf("heard %q", got)
	}
}

func TestStartRefusesTooFewAndTooManyNodes(t *testing.T) {
	for _, nodes := range []int{-1, 0, 1, 51} {
		if _, err := Start(t.Context(), Config{Nodes: nodes}); err == nil {
			t.Errorf("%d nodes were started", nodes)
		}
	}
}

// That nothing is left is for goleak to see.
func TestStartThatIsCancelledLeavesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, Config{Nodes: 3}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestStopTwice(t *testing.T) {
	n := start(t, Config{Nodes: 2})
	stop(t, n)
	stop(t, n)
	if _, err := n.Send(t.Context(), "hello"); !errors.Is(err, p2p.ErrNotRunning) {
		t.Errorf("a stopped network sends: %v", err)
	}
	if a := n.Addrs(); len(a) != 2 || a[0] == (addr.Addr{}) {
		t.Errorf("it forgets its addresses: %v", a)
	}
}

func TestDeparturesAreBounded(t *testing.T) {
	var d departures
	now := time.Now()
	for i := range 5000 {
		d.note(fmt.Sprint(i), now)
		if len(d.times) > 1000 {
			t.Fatalf("%d are remembered", len(d.times))
		}
		if at, ok := d.of(fmt.Sprint(i)); !ok || at != now {
			t.Fatal("the last one is forgotten")
		}
	}
}
