package chat_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dchat/chat"
	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/p2ptest"
	"dchat/p2p/transport"
)

// theirs is where the peer that is dialled listens.
var theirs = addr.MustParse("tcp://127.0.0.1:2000")

// stock is a peer as stock nodes are: our node has dialled it, at theirs, and it
// has dialled our node, and says everything on both connections.
type stock struct {
	t        *testing.T
	chat     *chat.Dchat
	network  *transport.Mem
	channels map[string]*p2ptest.Peer // "D" is the one that our node dialled; others came in and list theirs
}

func newStock(t *testing.T, inbound ...string) *stock {
	t.Helper()
	mem := transport.NewMem()
	set := transport.Set{"tcp": mem}
	l, err := set.Listen(t.Context(), theirs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	settings := p2p.DefaultSettings()
	settings.Inbound, settings.Peers, settings.OutboundConnections, settings.Localnet = []addr.Addr{listening}, []addr.Addr{theirs}, 0, true
	s := &stock{t: t, chat: node(t, mem, settings), network: mem, channels: make(map[string]*p2ptest.Peer)}
	s.channels["D"] = p2ptest.Accept(t, l)
	for _, name := range inbound {
		p := p2ptest.Dial(t, set, listening)
		p.Version.ExtSendAddr = []addr.Addr{addr.MustParse("tcp://other.example:7"), theirs}
		s.channels[name] = p
	}
	for _, p := range s.channels {
		p.Greet()
		p.Record()
	}
	return s
}

// play does one step after another: "D text" says it on that channel, "D ends" ends
// it, "wait 10s" waits.
func (s *stock) play(steps ...string) {
	s.t.Helper()
	for _, step := range steps {
		who, what, _ := strings.Cut(step, " ")
		switch {
		case who == "wait":
			d, err := time.ParseDuration(what)
			if err != nil {
				s.t.Fatal(err)
			}
			<-time.After(d)
		case what == "ends":
			s.channels[who].Close(false)
		default:
			s.channels[who].Send(&chat.Message{Text: what})
		}
		synctest.Wait()
	}
}

// delivered returns the texts in the history.
func (s *stock) delivered() []string {
	var got []string
	entries, _ := s.chat.History().After(0, 0)
	for _, e := range entries {
		got = append(got, e.Text)
	}
	return got
}

func TestWhatAPeerSaysOnTwoConnectionsIsDeliveredAsOftenAsItSaysIt(t *testing.T) {
	for _, c := range []struct{ name, steps, want string }{
		{"on the dialled one first", "D a|I a|D b|I b", "a b"},
		{"on the inbound one first", "I a|D a|I b|D b", "a b"},
		{"one far behind", "D a|D b|D c|I a|I b|I c", "a b c"},
		{"now one is first, now the other", "D a|I a|I b|D b|D c|I c", "a b c"},
		{"in another order", "D a|D b|I b|I a", "a b"},
		{"twice said", "D hi|I hi|D hi|I hi", "hi hi"},
		{"twice said, one behind", "I hi|I hi|D hi|D hi", "hi hi"},
		{"twice said, crossing", "D hi|I hi|I hi|D hi", "hi hi"},
		{"twice said, much later", "D hi|I hi|wait 12s|D hi|I hi", "hi hi"},
		{"three times said, one channel loses one", "D hi|I hi|D hi|D hi|I hi", "hi hi hi"},
		{"only on the dialled one", "D a|D a|wait 1s|D a|D b", "a a a b"},
		{"only on the inbound one", "I a|I a|wait 1s|I a|I b", "a a a b"},
		{"a little later", "D a|wait 9900ms|I a", "a"},
		{"too late to be the same", "D a|wait 10s|I a", "a a"},
		{"the dialled one ends midway", "D a|I a|D b|D c|D ends|I b|I c|I d", "a b c d"},
		{"the inbound one ends midway", "I a|D a|I b|I c|I ends|D b|D c|D d", "a b c d"},
		{"both end, one behind", "I bye|I ends|D bye|D ends", "bye"},
		{"one ends, and the same is said again on the other", "I hi|I ends|wait 1s|D hi", "hi hi"},
		{"empty texts", "D |I |I |D ", " "},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStock(t, "I")
				s.play(strings.Split(c.steps, "|")...)
				if got := strings.Join(s.delivered(), " "); got != c.want {
					t.Errorf("delivered %q, want %q", got, c.want)
				}
			})
		})
	}
}

func TestAPeerThatOnlyClaimsTheAddressOfAnotherTakesNothingFromIt(t *testing.T) {
	for _, c := range []struct{ name, steps, want string }{
		{"it says something else", "I x|D a|I y|I z|D b", "x a y z b"},
		{"it says the same before, and the text is there once", "I a|D a", "a"},
		{"it says the same more often", "I a|I a|I a|D a", "a a a"},
		{"it says the same less often", "I a|D a|D a|D a", "a a a"},
		{"it says it first, too early", "I a|wait 10s|D a", "a a"},
		{"it says it and leaves", "I a|I ends|wait 1s|D a", "a a"},
		{"two claim it and say the same", "I a|J a|D a", "a"},
		{"two claim it, one is the owner", "J x|D a|I a|J a|I b|J b|D b|D b", "x a b b"},
		{"it repeats what is said, and the owner says it again", "D a|J a|J a|D a|I a|I a", "a a"},
		{"it repeats what is said elsewhere", "D a|J a|I a|D a|J a|I a", "a a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStock(t, "I", "J")
				s.play(strings.Split(c.steps, "|")...)
				if got := strings.Join(s.delivered(), " "); got != c.want {
					t.Errorf("delivered %q, want %q", got, c.want)
				}
			})
		})
	}
}

func TestTextsOfAPeerThatClaimsNothingAreNotMistakenForThoseOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStock(t)
		other := p2ptest.Dial(t, transport.Set{"tcp": s.network}, listening)
		other.Greet()
		s.channels["other"] = other
		s.play("D hi", "other hi", "other hi")
		if got := s.delivered(); len(got) != 3 {
			t.Errorf("delivered %q, want all three", got)
		}
	})
}

// TestRandomConversations says the same texts, few different ones, on two
// connections in turns of chance.
func TestRandomConversations(t *testing.T) {
	for seed := range uint64(50) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			s := newStock(t, "I")
			var said []string
			for range 60 {
				said = append(said, string(rune('a'+random.IntN(3))))
			}
			next := map[string]int{}
			for next["D"] < len(said) || next["I"] < len(said) {
				who := []string{"D", "I"}[random.IntN(2)]
				for n := random.IntN(8); n > 0 && next[who] < len(said); n-- {
					s.play(who + " " + said[next[who]])
					next[who]++
				}
				s.play(fmt.Sprintf("wait %dms", random.IntN(150)))
			}
			if got := s.delivered(); !slices.Equal(got, said) {
				t.Errorf("seed %d: delivered\n%q, said\n%q", seed, got, said)
			}
		})
	}
}

// TestRandomLies lets the owner of an address and two that claim it say what they
// like: a text is delivered as often as the one says it that says it most often.
func TestRandomLies(t *testing.T) {
	for seed := range uint64(50) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			s := newStock(t, "I", "J")
			says := make(map[string]map[string]int) // how often, by text and channel
			for range 100 {
				who, text := []string{"D", "I", "J"}[random.IntN(3)], string(rune('a'+random.IntN(4)))
				s.play(who+" "+text, "wait 50ms")
				if says[text] == nil {
					says[text] = make(map[string]int)
				}
				says[text][who]++
			}
			got := make(map[string]int)
			for _, text := range s.delivered() {
				got[text]++
			}
			for text, by := range says {
				if want := max(by["D"], by["I"], by["J"]); got[text] != want {
					t.Errorf("seed %d: %q was said %v times and delivered %d times, want %d", seed, text, by, got[text], want)
				}
			}
		})
	}
}

// TestALiarThatNeverStopsCostsLittle: what is remembered is bounded, and what does
// not find room is delivered.
func TestALiarThatNeverStopsCostsLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStock(t, "I")
		const many = 5000
		for i := range many {
			s.channels["I"].Send(&chat.Message{Text: fmt.Sprint(i)})
		}
		synctest.Wait()
		s.play(fmt.Sprintf("D %d", many-1), "D owner")
		got := s.delivered()
		if want := []string{fmt.Sprint(many - 1), fmt.Sprint(many - 1), "owner"}; len(got) != many+2 || !slices.Equal(got[many-1:], want) {
			t.Errorf("%d texts delivered, the last are %q, want %q", len(got), got[max(0, len(got)-3):], want)
		}
		s.play("wait 10s", "I again", "D again", "D more", "I more")
		if got := s.delivered()[many+2:]; !slices.Equal(got, []string{"again", "more"}) {
			t.Errorf("later %q is delivered, want each once", got)
		}
	})
}

func TestTwoNodesThatDialEachOtherSayAndHearEachTextOnce(t *testing.T) {
	for _, c := range []struct {
		name   string
		listed bool // only the second node says what its address is
	}{{"both say their address", true}, {"one does", false}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mem := transport.NewMem()
				start := func(at, peer addr.Addr, listed bool) *chat.Dchat {
					s := p2p.DefaultSettings()
					s.Inbound, s.Peers, s.OutboundConnections, s.Localnet = []addr.Addr{at}, []addr.Addr{peer}, 0, true
					if listed {
						s.ExternalAddrs = s.Inbound
					}
					return node(t, mem, s)
				}
				a, b := start(listening, theirs, c.listed), start(theirs, listening, true)
				<-time.After(10 * time.Second)
				for _, d := range []*chat.Dchat{a, b} {
					if n := len(d.P2p().Channels()); n != 2 {
						t.Fatalf("%d channels, want 2", n)
					}
				}
				for i := range 3 {
					for name, d := range map[string]*chat.Dchat{"a": a, "b": b} {
						receipt, err := d.Send(t.Context(), name)
						if err != nil {
							t.Fatal(err)
						}
						if c.listed && receipt.Peers != 1 {
							t.Errorf("text %d of %s went out %d times", i, name, receipt.Peers)
						}
					}
					synctest.Wait()
				}
				for _, d := range []*chat.Dchat{a, b} {
					got := strings.Join(texts(d), ",")
					if in, out := strings.Count(got, " in "), strings.Count(got, " out "); in != 3 || out != 3 {
						t.Errorf("the history is %q, want three texts of each", got)
					}
				}
			})
		})
	}
}
