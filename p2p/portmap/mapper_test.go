package portmap

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"go.uber.org/zap"

	"dchat/p2p/addr"
)

func TestPortsAreMappedAndToldAndRemovedAtTheEnd(t *testing.T) {
	r := newRouter("A")
	in(t, []*router{r}, func(w *world) {
		r.maps(t, 5000, 6000)
		w.wantExternal("tcp+tls://51.1.2.3:5000/", "quic://51.1.2.3:6000")
		w.wantLogged(zap.InfoLevel, "Port mapped", 2)
		if w.changes != 1 {
			t.Errorf("%d changes were told", w.changes)
		}
		if took := w.stop(); took != 0 {
			t.Errorf("the end took %v", took)
		}
		r.maps(t)
	})
}

func TestMappingsAreRenewedAtHalfOfTheirLease(t *testing.T) {
	for _, c := range []struct {
		name         string
		lease, every time.Duration
		forever      bool
	}{
		{"as asked for", 0, 30 * time.Minute, false},
		{"shorter", 10 * time.Minute, 5 * time.Minute, false},
		{"longer", 300 * time.Hour, 30 * time.Minute, false},
		{"too short to be meant", time.Second, 30 * time.Second, false},
		{"none", 0, 30 * time.Minute, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRouter("A")
			r.lease, r.forever = c.lease, c.forever
			in(t, []*router{r}, func(w *world) {
				for range 10 {
					if c.lease != time.Second {
						r.maps(t, 5000, 6000)
					}
					w.wantExternal("tcp+tls://51.1.2.3:5000/", "quic://51.1.2.3:6000")
					w.after(c.every)
				}
				if len(r.asked) != 2*11 {
					t.Errorf("the router was asked %d times in ten periods, want 2 at the beginning and in each", len(r.asked))
				}
				w.stop()
				if len(r.has) != 0 {
					t.Errorf("the router still has %v", r.has)
				}
			})
		})
	}
}

func TestAMappingWithoutALeaseIsSpokenOfAndRemoved(t *testing.T) {
	r := newRouter("A")
	r.forever = true
	in(t, []*router{r}, func(w *world) {
		w.after(24 * time.Hour)
		w.wantLogged(zap.InfoLevel, "keeps no leases", 1)
		w.stop()
		r.maps(t)
	})
}

func TestARouterThatRestartsIsAskedAgain(t *testing.T) {
	r := newRouter("A")
	in(t, []*router{r}, func(w *world) {
		w.after(time.Minute)
		clear(r.has)
		r.ip = netip.MustParseAddr("51.9.9.9")
		w.after(lookInterval)
		r.maps(t, 5000, 6000)
		w.wantExternal("tcp+tls://51.9.9.9:5000/", "quic://51.9.9.9:6000")
		if len(w.searches) != 1 {
			t.Errorf("it was searched for %d times", len(w.searches))
		}
	})
}

func TestARouterThatForgetsAtOnceIsLeftAlone(t *testing.T) {
	r := newRouter("A")
	in(t, []*router{r}, func(w *world) {
		r.answer = func(m Mapping) Mapping { m.External++; return m }
		clear(r.has)
		w.after(lookInterval)
		w.wantExternal()
		asked := len(r.asked)
		w.after(time.Hour)
		if n := len(r.asked) - asked; n > 4*7 { // 1, 2, 4 … 30 min
			t.Errorf("it was asked %d times in an hour", n)
		}
	})
}

func TestARouterThatIsLostIsLookedForAgain(t *testing.T) {
	r := newRouter("A")
	in(t, []*router{r}, func(w *world) {
		r.silent = true
		w.after(lookInterval + requestTime)
		w.wantExternal()
		w.wantLogged(zap.WarnLevel, "does not map ports any more", 1)
		if w.changes != 2 {
			t.Errorf("%d changes were told, want 2", w.changes)
		}
		r.silent = false
		w.after(firstPause)
		r.maps(t, 5000, 6000)
		w.wantExternal("tcp+tls://51.1.2.3:5000/", "quic://51.1.2.3:6000")
	})
}

func TestWithoutARouterTheSearchSlowsDownAndWarnsOnce(t *testing.T) {
	in(t, nil, func(w *world) {
		w.after(24 * time.Hour)
		w.wantLogged(zap.WarnLevel, "No port could be mapped", 1)
		var pauses []time.Duration
		for i := range w.searches[1:] {
			pauses = append(pauses, w.searches[i+1].Sub(w.searches[i]))
		}
		want := []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute, 30 * time.Minute, 30 * time.Minute}
		if !slices.Equal(pauses[:len(want)], want) {
			t.Errorf("the pauses are %v, want %v", pauses[:len(want)], want)
		}
		r := newRouter("A")
		w.routers = []*router{r}
		w.after(lastPause)
		r.maps(t, 5000, 6000)
		w.stop()
		r.maps(t)
	})
}

func TestAMachineWithAPublicAddressNeedsNoRouter(t *testing.T) {
	in(t, nil, func(w *world) {
		w.after(time.Hour)
		w.wantLogged(zap.InfoLevel, "public address itself", 1)
		w.wantLogged(zap.WarnLevel, "", 0)
	}, func(c *Config) { c.Search = func(context.Context) ([]Gateway, error) { return nil, ErrNoNAT } })
}

func TestASearchIsGivenThreeSeconds(t *testing.T) {
	in(t, nil, func(w *world) {
		w.after(searchTime)
		w.wantLogged(zap.WarnLevel, "No port could be mapped", 1)
	}, func(c *Config) {
		c.Search = func(ctx context.Context) ([]Gateway, error) { <-ctx.Done(); return nil, ctx.Err() }
	})
}

// TestTheNextGatewayIsTried, and keeps no mapping behind where the first did not do.
func TestTheNextGatewayIsTried(t *testing.T) {
	for name, first := range map[string]func(*router){
		"the first refuses":                  func(r *router) { r.refuses = errors.New("not authorised") },
		"the first is silent":                func(r *router) { r.silent = true },
		"the first does not do what it says": func(r *router) { r.answer = func(m Mapping) Mapping { m.External += 7; return m } },
		"the first maps another port":        func(r *router) { r.answer = func(m Mapping) Mapping { m.Number++; return m } },
		"the first maps port 0":              func(r *router) { r.answer = func(m Mapping) Mapping { m.External = 0; return m } },
		"the first leases the past":          func(r *router) { r.answer = func(m Mapping) Mapping { m.Lease = -1; return m } },
	} {
		t.Run(name, func(t *testing.T) {
			a, b := newRouter("A"), newRouter("B")
			first(a)
			in(t, []*router{a, b}, func(w *world) {
				w.after(2 * requestTime)
				b.maps(t, 5000, 6000)
				w.wantExternal("tcp+tls://51.1.2.3:5000/", "quic://51.1.2.3:6000")
				w.stop()
				b.maps(t)
			})
		})
	}
}

func TestWhatAGatewayMappedIsRemovedWhenItDoesNotTellWhere(t *testing.T) {
	a, b := newRouter("A"), newRouter("B")
	in(t, []*router{a, b}, func(w *world) {
		a.maps(t)
		b.maps(t, 5000, 6000)
	}, func(c *Config) {
		search := c.Search
		c.Search = func(ctx context.Context) ([]Gateway, error) {
			found, err := search(ctx)
			return []Gateway{untelling{a}, found[1]}, err
		}
	})
}

// untelling has mappings, and no address.
type untelling struct{ *router }

func (untelling) Look(context.Context, []Mapping) (netip.Addr, error) {
	return netip.Addr{}, errors.New("no connection to the internet")
}

func TestAnotherExternalPortIsTakenAndKept(t *testing.T) {
	r := newRouter("A")
	r.taken[5000] = true
	in(t, []*router{r}, func(w *world) {
		w.wantExternal("tcp+tls://51.1.2.3:5001/", "quic://51.1.2.3:6000")
		delete(r.taken, 5000)
		w.after(2 * time.Hour)
		r.maps(t, 5001, 6000)
		r.silent = true
		w.after(lookInterval + requestTime)
		r.silent = false
		w.after(firstPause)
		w.wantExternal("tcp+tls://51.1.2.3:5001/", "quic://51.1.2.3:6000")
	})
}

func TestAnAddressThatIsNotOfTheInternetIsToldToNobody(t *testing.T) {
	for _, c := range []struct {
		ip               string
		told, onLocalnet bool
	}{
		{"51.1.2.3", true, true},
		{"192.168.0.2", false, true},
		{"100.64.1.1", false, true},
		{"127.0.0.1", false, true},
		{"0.0.0.0", false, false},
		{"224.0.0.1", false, false},
		{"2a02::1", false, false},
		{"", false, false},
	} {
		for _, localnet := range []bool{false, true} {
			r := newRouter("A")
			r.ip, _ = netip.ParseAddr(c.ip)
			in(t, []*router{r}, func(w *world) {
				if got, want := len(w.External()) > 0, c.told && !localnet || c.onLocalnet && localnet; got != want {
					t.Errorf("%q, localnet %v: told %v, want %v", c.ip, localnet, got, want)
				}
				r.maps(t, 5000, 6000)
				w.after(time.Hour)
				if c.ip != "" && len(w.External()) == 0 {
					w.wantLogged(zap.WarnLevel, "no public address", 1)
				}
			}, func(c *Config) { c.Localnet = localnet })
		}
	}
}

func TestAPortThatIsRefusedIsTriedAgainAtTheNextRenewal(t *testing.T) {
	r := newRouter("A")
	refuse := true
	in(t, []*router{r}, func(w *world) {
		w.wantExternal("tcp+tls://51.1.2.3:5000/")
		refuse = false
		w.after(30 * time.Minute)
		w.wantExternal("tcp+tls://51.1.2.3:5000/", "quic://51.1.2.3:6000")
		refuse = true
		w.after(30 * time.Minute)
		w.wantExternal("tcp+tls://51.1.2.3:5000/")
		w.stop()
		r.maps(t)
	}, func(c *Config) {
		c.Search = func(context.Context) ([]Gateway, error) { return []Gateway{halfway{r, &refuse}}, nil }
	})
}

// halfway maps no UDP while it refuses that.
type halfway struct {
	*router
	refuses *bool
}

func (h halfway) Map(ctx context.Context, port Port, external uint16, lease time.Duration) (Mapping, error) {
	h.turn()
	if *h.refuses && port.Protocol == UDP {
		return Mapping{}, errors.New("no UDP")
	}
	return h.router.Map(ctx, port, external, lease)
}

// TestTheEndTakesTwoSeconds at most, whatever the router is doing.
func TestTheEndTakesTwoSeconds(t *testing.T) {
	const most = 2 * time.Second
	for _, c := range []struct {
		name   string
		change func(*router)
		when   time.Duration // the run ends
		left   bool          // a mapping may be left behind
	}{
		{"a silent router, when it is first asked", func(r *router) { r.silent = true }, time.Second, false},
		{"a router that is slow, in the midst of mapping", func(r *router) { r.takes = 400 * time.Millisecond }, 500 * time.Millisecond, false},
		{"a router that is slow, after that", func(r *router) { r.takes = 400 * time.Millisecond }, time.Minute, false},
		{"a router that is too slow", func(r *router) { r.takes = 2 * time.Second }, time.Minute, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRouter("A")
			c.change(r)
			in(t, []*router{r}, func(w *world) {
				w.after(c.when)
				if took := w.stop(); took > most {
					t.Errorf("the end took %v", took)
				}
				if !c.left {
					r.maps(t)
				}
			})
		})
	}
}

func TestARouterThatFallsSilentDoesNotHoldUpTheEnd(t *testing.T) {
	r := newRouter("A")
	in(t, []*router{r}, func(w *world) {
		r.silent = true
		if took := w.stop(); took != releaseTime {
			t.Errorf("the end took %v, want %v", took, releaseTime)
		}
		w.wantLogged(zap.WarnLevel, "may stay mapped", 2)
	})
}

func TestOnlyWhatARouterCanPassOnIsMapped(t *testing.T) {
	for _, c := range []struct {
		listening []string
		want      []uint16
	}{
		{[]string{"tcp://0.0.0.0:1", "quic://0.0.0.0:1"}, []uint16{1, 1}},
		{[]string{"tcp://[::]:2", "tcp+tls://0.0.0.0:2"}, []uint16{2}},
		{[]string{"tcp://[::]:3", "quic://[::]:4"}, []uint16{4}},
		{[]string{"tcp://192.168.1.7:3"}, []uint16{3}},
		{[]string{"tcp://192.168.1.8:4"}, nil}, // an address that the router does not pass connections on to
		{[]string{"tcp://127.0.0.1:5", "tcp://[::1]:5", "tcp://[::ffff:127.0.0.1]:5"}, nil},
		{[]string{"tcp://51.1.1.1:6", "tcp://[2a02::1]:6", "tcp://[fe80::1]:6"}, nil},
		{[]string{"unix:///run/x", "tor://0.0.0.0:7", "socks5://0.0.0.0:7"}, nil},
		{[]string{"tcp://localhost:8", "tcp://0.0.0.0:0"}, nil},
		{nil, nil},
	} {
		r := newRouter("A")
		in(t, []*router{r}, func(*world) { r.maps(t, c.want...) }, func(cfg *Config) {
			cfg.Listening = func() (addrs []addr.Addr) {
				for _, text := range c.listening {
					addrs = append(addrs, addr.MustParse(text))
				}
				return addrs
			}
		})
	}
}
