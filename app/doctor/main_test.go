package doctor

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/p2ptest"
	"dchat/p2p/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	seedAddr = addr.MustParse("tcp://198.51.100.1:1")
	peerAddr = addr.MustParse("tcp://198.51.100.2:2")
	ownAddr  = addr.MustParse("tcp://203.0.113.9:3")
)

// memory is a network inside this process, with TLS and without.
func memory() transport.Set {
	mem := transport.NewMem()
	return transport.Set{addr.TCP: mem, addr.TCPTLS: &transport.TLS{Over: mem}}
}

// patient is one without a daemon, on a network.
func patient(set transport.Set, change func(*p2p.Settings)) Patient {
	settings := p2p.DefaultSettings()
	change(&settings)
	return Patient{File: "/file", Settings: settings, Transports: set, Daemon: Check{Detail: "no daemon"}}
}

func withSeeds(seeds ...addr.Addr) func(*p2p.Settings) {
	return func(s *p2p.Settings) { s.Seeds = seeds }
}

// begin examines a patient while the test plays the other nodes.
func begin(t *testing.T, p Patient) <-chan Report {
	done := make(chan Report, 1)
	go func() { done <- Examine(t.Context(), p) }()
	return done
}

// listen takes the connections to an address.
func listen(t *testing.T, set transport.Set, at addr.Addr) transport.Listener {
	t.Helper()
	l, err := set.Listen(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// askedBy begins to examine a patient and takes the connection that it makes.
func askedBy(t *testing.T, p Patient, at addr.Addr) (*p2ptest.Peer, <-chan Report) {
	t.Helper()
	l := listen(t, p.Transports, at)
	done := begin(t, p)
	return p2ptest.Accept(t, l), done
}

// checksOf returns the checks of a stage.
func checksOf(r Report, stage string) []Check {
	return slices.DeleteFunc(slices.Clone(r.Checks), func(c Check) bool { return c.Stage != stage })
}

// wantLast compares the last check of a stage; of the want only what is set.
func wantLast(t *testing.T, r Report, want Check) Check {
	t.Helper()
	checks := checksOf(r, want.Stage)
	if len(checks) == 0 {
		t.Fatalf("no check of %q in %+v", want.Stage, r.Checks)
	}
	got := checks[len(checks)-1]
	if got.Step != want.Step || got.Status != want.Status || got.Detail != cmp.Or(want.Detail, got.Detail) || got.Target != cmp.Or(want.Target, got.Target) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got.Status == Fail && got.Advice == "" && got.Stage != StageConnections {
		t.Errorf("no advice in %+v", got)
	}
	return got
}

func TestAReportSurvivesJSON(t *testing.T) {
	r := Examine(t.Context(), patient(memory(), func(s *p2p.Settings) {
		s.Seeds, s.Inbound = []addr.Addr{seedAddr}, []addr.Addr{ownAddr}
	}))
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if back.Summary != r.Summary || back.Connected != r.Connected || !slices.Equal(back.Checks, r.Checks) || len(r.Checks) < 5 {
		t.Errorf("%s gives %+v, want %+v", text, back, r)
	}
}

func TestTheEndOfTheContextEndsTheExamination(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := Examine(ctx, patient(memory(), withSeeds(seedAddr)))
	if len(r.Checks) == 0 || r.Summary == "" {
		t.Errorf("report is %+v", r)
	}
}
