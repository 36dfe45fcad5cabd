package doctor

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/channel"
	"dchat/p2p/hosts"
	"dchat/p2p/p2ptest"
	"dchat/p2p/session"
	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

// start runs a node on a network until the end of the test.
func start(t *testing.T, set transport.Set, change func(*p2p.Settings)) *p2p.P2p {
	t.Helper()
	settings := p2p.DefaultSettings()
	settings.OutboundConnections = 0
	change(&settings)
	node, err := p2p.New(settings, p2p.WithTransports(set))
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := node.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return node
}

// running is the patient that a node is.
func running(node *p2p.P2p, set transport.Set) Patient {
	return Patient{File: "/file", Settings: node.Settings(), Node: node, Transports: set}
}

func TestANodeWithItsPeersIsWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		other := start(t, set, func(s *p2p.Settings) { s.Inbound = []addr.Addr{peerAddr} })
		node := start(t, set, func(s *p2p.Settings) {
			s.Peers = []addr.Addr{peerAddr}
			s.Inbound, s.ExternalAddrs = []addr.Addr{ownAddr}, []addr.Addr{ownAddr}
		})
		if err := errors.Join(node.Connected(t.Context(), 1), other.Connected(t.Context(), 1)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(90 * time.Second) // of the virtual kind
		r := Examine(t.Context(), running(node, set))
		if r.Summary != "Connected to 1 peer." || r.Connected != 1 {
			t.Errorf("summary is %q, connected %d", r.Summary, r.Connected)
		}
		wantLast(t, r, Check{Stage: StageDaemon, Status: OK})
		wantLast(t, r, Check{Stage: StageListening, Status: OK, Target: "tcp://203.0.113.9:3"})
		wantLast(t, r, Check{Stage: StagePeer, Status: OK, Detail: "connected for 1m30s, it runs dchatd 0.4.1"})
		wantLast(t, r, Check{Stage: StageConnections, Status: OK, Detail: "1 peer: 1 manual"})
		wantLast(t, r, Check{Stage: StageSlot, Status: Skip})
		wantLast(t, r, Check{Stage: StageClock, Status: OK, Detail: "right, compared with 1 other node"})
		reached := wantLast(t, r, Check{Stage: StageExternal, Step: StepVersion, Status: OK, Detail: "it runs dchatd 0.4.1"})
		if !strings.Contains(reached.Advice, "does not prove") {
			t.Errorf("advice is %q", reached.Advice)
		}
		if r := Examine(t.Context(), running(other, set)); r.Connected != 1 {
			t.Errorf("the other one has %d peers", r.Connected)
		}
	})
}

func TestAnExternalAddressThatLeadsNowhereIsAWarning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		node := start(t, set, func(s *p2p.Settings) {
			s.ExternalAddrs = []addr.Addr{ownAddr, addr.FromIP(addr.TCP, netip.AddrPortFrom(netip.IPv6Unspecified(), 3))}
		})
		r := Examine(t.Context(), running(node, set))
		checks := checksOf(r, StageExternal)
		if len(checks) != 2 || checks[0].Status != Warn || !strings.Contains(checks[0].Advice, "router") || checks[1].Status != Skip {
			t.Errorf("checks are %+v", checks)
		}
	})
}

// fakeNode does what the test says.
type fakeNode struct {
	state p2p.State
	slots []session.Slot
	hosts *hosts.Hosts
}

func (n *fakeNode) State() p2p.State           { return n.state }
func (*fakeNode) Addrs() []addr.Addr           { return nil }
func (*fakeNode) Channels() []*channel.Channel { return nil }
func (n *fakeNode) Slots() []session.Slot      { return n.slots }
func (n *fakeNode) Hosts() *hosts.Hosts        { return n.hosts }

func newFakeNode(slots ...session.Slot) *fakeNode {
	return &fakeNode{state: p2p.Running, slots: slots, hosts: hosts.New(hosts.Settings{Localnet: true, Dialable: []string{addr.TCP}}, zap.NewNop())}
}

func TestEachSlotSaysWhatItIsDoing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := patient(memory(), func(*p2p.Settings) {})
		sleeping := func(number int) session.Slot { return session.Slot{Number: number, State: session.SlotSleeping} }
		p.Node = newFakeNode(
			session.Slot{State: session.SlotConnected, Addr: peerAddr, Since: time.Now().Add(-time.Minute)},
			sleeping(1), sleeping(2), sleeping(3),
			session.Slot{Number: 4, State: session.SlotConnecting, Addr: seedAddr},
			session.Slot{Number: 5, State: session.SlotWaiting, Err: errors.New("refused")},
			sleeping(7), sleeping(9), // the numbers between them are of slots that have ended
		)
		var got []string
		for _, c := range checksOf(Examine(t.Context(), p), StageSlot) {
			got = append(got, c.Target+" "+string(c.Status)+" "+c.Detail)
		}
		want := strings.Join([]string{
			"0 ok connected to tcp://198.51.100.2:2 for 1m0s",
			"1-3 warn sleeping: there is no address to try",
			"4 warn connecting to tcp://198.51.100.1:1",
			"5 warn waiting before it tries the next address; last failure: refused",
			"7 warn sleeping: there is no address to try",
			"9 warn sleeping: there is no address to try",
		}, "\n")
		if strings.Join(got, "\n") != want {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want)
		}
	})
}

func TestADaemonWhoseNodeDoesNotRun(t *testing.T) {
	p := patient(memory(), func(s *p2p.Settings) { s.Inbound = []addr.Addr{ownAddr} })
	node := newFakeNode()
	node.state = p2p.Stopping
	p.Node = node
	r := Examine(t.Context(), p)
	wantLast(t, r, Check{Stage: StageDaemon, Status: Fail, Detail: "its node is stopping"})
	wantLast(t, r, Check{Stage: StageListening, Status: Fail})
}

func TestWhomTheNodeHasBannedIsNotAsked(t *testing.T) {
	p := patient(memory(), withSeeds(seedAddr))
	node := newFakeNode()
	node.hosts.Offend(hosts.Offence{Peer: seedAddr, Reason: "it flooded"})
	p.Node = node
	p.Asking = func(a addr.Addr) { t.Errorf("%v is asked", a) }
	r := Examine(t.Context(), p)
	wantLast(t, r, Check{Stage: StageSeed, Step: StepDialable, Status: Fail, Detail: "this node has banned it"})
	if bans := wantLast(t, r, Check{Stage: StageBans, Status: OK, Detail: "1 host banned"}); bans.Advice == "" {
		t.Error("nothing is said about lifting it")
	}
}

// Why a node has nobody is in the summary.
func TestTheSummaryNamesTheCause(t *testing.T) {
	two := []addr.Addr{seedAddr, addr.MustParse("tcp://198.51.100.3:3")}
	for _, c := range []struct {
		name   string
		change func(*p2p.Settings)
		heard  int // addresses that the node knows
		want   string
	}{
		{"alone", func(*p2p.Settings) {}, 0, "Not connected: neither peers nor seeds are configured."},
		{"alone, listening", func(s *p2p.Settings) { s.Inbound = two }, 0, "Not connected: neither peers nor seeds are configured, and nobody has connected to this node."},
		{"one seed", withSeeds(seedAddr), 0, "Not connected: seed tcp://198.51.100.1:1: refused: nothing listens there."},
		{"seeds", withSeeds(two...), 0, "Not connected: no seed answers."},
		{"peers", func(s *p2p.Settings) { s.Peers = two }, 0, "Not connected: no peer answers."},
		{"both", func(s *p2p.Settings) { s.Peers, s.Seeds = two[:1], two[1:] }, 9, "Not connected: neither a seed nor a peer answers."},
		{"one known", func(*p2p.Settings) {}, 1, "Not connected: 1 address is known, which is tried again and again."},
		{"some known", func(*p2p.Settings) {}, 3, "Not connected: 3 addresses are known, which are tried one after the other."},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := patient(memory(), c.change)
			node := newFakeNode()
			for i := range c.heard {
				from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, byte(i), 9}), 9)
				node.hosts.Heard(peerAddr, []wire.Entry{{Addr: addr.FromIP(addr.TCP, from), LastSeen: uint64(time.Now().Unix())}})
			}
			p.Node = node
			r := Examine(t.Context(), p)
			if r.Summary != c.want {
				t.Errorf("summary is %q\nwant %q", r.Summary, c.want)
			}
			wantLast(t, r, Check{Stage: StageConnections, Status: Fail})
		})
	}
}

func TestTheSummaryTellsSeedsThatAnswerFromPeersThatDo(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*p2p.Settings)
		at     addr.Addr
		want   string
	}{
		"seed": {withSeeds(seedAddr), seedAddr, "Not connected: the seeds answer, but know nobody yet."},
		"peer": {func(s *p2p.Settings) { s.Peers = []addr.Addr{peerAddr} }, peerAddr, "Not connected: a peer answers, so it should be connected in a moment."},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := patient(memory(), c.change)
				p.Node = newFakeNode()
				peer, done := askedBy(t, p, c.at)
				peer.Handshake()
				if c.at == seedAddr {
					peer.Send(&wire.Addrs{})
				}
				if r := <-done; r.Summary != c.want {
					t.Errorf("summary is %q\nwant %q", r.Summary, c.want)
				}
			})
		})
	}
}

// Any one clock may be wrong, so the middle one counts.
func TestTheClockIsComparedWithTheOthers(t *testing.T) {
	const hour = 3600
	for _, c := range []struct {
		name   string
		ahead  []int64 // the clocks of the seeds
		status Status
		want   string
	}{
		{"right", []int64{0}, OK, "right, compared with 1 other node"},
		{"a little off", []int64{300}, OK, "5m0s behind, compared with 1 other node"},
		{"behind", []int64{hour}, Warn, "1h0m0s behind, compared with 1 other node"},
		{"ahead", []int64{-hour, -hour, -hour}, Warn, "1h0m0s ahead, compared with 3 other nodes"},
		{"one liar", []int64{0, 50 * hour, 0}, OK, "right, compared with 3 other nodes"},
		{"one liar of two", []int64{-50 * hour, 1}, OK, "right, compared with 2 other nodes"},
		{"no time at all", []int64{1<<62 + 1<<61}, Warn, "876000h0m0s behind, compared with 1 other node"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := patient(memory(), func(s *p2p.Settings) {
					for i := range c.ahead {
						s.Seeds = append(s.Seeds, addr.FromIP(addr.TCP, netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, 1}), uint16(i+1))))
					}
				})
				var listeners []transport.Listener
				for _, seed := range p.Settings.Seeds {
					listeners = append(listeners, listen(t, p.Transports, seed))
				}
				done := begin(t, p)
				for i, l := range listeners {
					peer := p2ptest.Accept(t, l)
					peer.Version.Timestamp = uint64(time.Now().Unix() + c.ahead[i])
					peer.Handshake()
					peer.Send(&wire.Addrs{})
				}
				got := wantLast(t, <-done, Check{Stage: StageClock, Status: c.status, Detail: c.want})
				if (got.Advice != "") != (c.status == Warn) {
					t.Errorf("advice is %q", got.Advice)
				}
			})
		})
	}
}
