package portmap

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"dchat/p2p/addr"
)

// router is a gateway that keeps its mappings in virtual time.
type router struct {
	name    string
	ip      netip.Addr
	lease   time.Duration // that it gives; 0: what it is asked for
	forever bool          // it knows no leases
	silent  bool          // it answers nothing
	refuses error         // every request to map
	taken   map[uint16]bool
	takes   time.Duration // for each answer
	answer  func(Mapping) Mapping

	has   map[Port]Mapping
	until map[Port]time.Time
	asked []time.Time // when it was asked to map

	turns atomic.Int32
}

// turn is taken by the test before time goes by, and by the Mapper when it asks for
// something, so that each sees what the other has done.
func (r *router) turn() { r.turns.Add(1) }

func newRouter(name string) *router {
	return &router{name: name, ip: netip.MustParseAddr("51.1.2.3"), taken: map[uint16]bool{}, has: map[Port]Mapping{}, until: map[Port]time.Time{}}
}

func (r *router) String() string { return r.name }

func (r *router) Local() netip.Addr { return netip.MustParseAddr("192.168.1.7") }

func (r *router) work(ctx context.Context) error {
	r.turn()
	if r.silent {
		<-ctx.Done()
		return ctx.Err()
	}
	timer := time.NewTimer(r.takes)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *router) Map(ctx context.Context, port Port, external uint16, lease time.Duration) (Mapping, error) {
	r.turn()
	r.asked = append(r.asked, time.Now())
	if lease <= 0 {
		return Mapping{}, errors.New("a mapping without an end was asked for")
	}
	if err := r.work(ctx); err != nil {
		return Mapping{}, err
	}
	if r.refuses != nil {
		return Mapping{}, r.refuses
	}
	for r.taken[external] {
		external++
	}
	m := Mapping{port, external, lease}
	if r.lease != 0 {
		m.Lease = r.lease
	}
	if r.forever {
		m.Lease = 0
	}
	r.has[port], r.until[port] = m, time.Now().Add(m.Lease)
	if r.answer != nil {
		m = r.answer(m)
	}
	return m, nil
}

func (r *router) Unmap(ctx context.Context, m Mapping) error {
	err := r.work(ctx)
	if err == nil && r.has[m.Port].External == m.External {
		delete(r.has, m.Port)
	}
	return err
}

func (r *router) Look(ctx context.Context, held []Mapping) (netip.Addr, error) {
	if err := r.work(ctx); err != nil {
		return netip.Addr{}, err
	}
	for _, m := range held {
		if got, ok := r.has[m.Port]; !ok || got.External != m.External {
			return r.ip, ErrForgotten
		}
	}
	return r.ip, nil
}

// maps checks that the router has mapped these external ports, and for long enough.
func (r *router) maps(t *testing.T, want ...uint16) {
	t.Helper()
	var got []uint16
	for port, m := range r.has {
		if r.forever || time.Now().Before(r.until[port]) {
			got = append(got, m.External)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%s maps %v, want %v", r, got, want)
	}
}

// world is a Mapper that runs, and what is around it.
type world struct {
	*Mapper
	t        *testing.T
	routers  []*router
	searches []time.Time
	changes  int
	logs     *observer.ObservedLogs
	cancel   func()
	ended    chan struct{}
	turns    atomic.Int32
}

var listening = []addr.Addr{addr.MustParse("tcp+tls://0.0.0.0:5000"), addr.MustParse("quic://0.0.0.0:6000")}

// in runs a test in virtual time, with a Mapper that was just started. At its end
// everything must have ended.
func in(t *testing.T, routers []*router, test func(*world), change ...func(*Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.DebugLevel)
		w := &world{t: t, routers: routers, logs: logs, ended: make(chan struct{})}
		cfg := Config{
			Listening: func() []addr.Addr { return listening },
			Search: func(context.Context) ([]Gateway, error) {
				w.turns.Add(1)
				w.searches = append(w.searches, time.Now())
				var found []Gateway
				for _, r := range w.routers {
					found = append(found, r)
				}
				return found, nil
			},
			Changed: func() { w.changes++ },
			Log:     zap.New(core),
		}
		for _, c := range change {
			c(&cfg)
		}
		w.Mapper = New(cfg)
		ctx, cancel := context.WithCancel(t.Context())
		w.cancel = cancel
		go func() {
			defer close(w.ended)
			w.Run(ctx)
		}()
		defer func() {
			cancel()
			<-w.ended
		}()
		synctest.Wait()
		test(w)
	})
}

// stop ends the run, and returns how long that took.
func (w *world) stop() time.Duration {
	began := time.Now()
	w.cancel()
	<-w.ended
	return time.Since(began)
}

// after lets so much time go by.
func (w *world) after(d time.Duration) {
	w.turns.Add(1)
	for _, r := range w.routers {
		r.turn()
	}
	time.Sleep(d)
	synctest.Wait()
}

func (w *world) wantExternal(want ...string) {
	w.t.Helper()
	var got []string
	for _, a := range w.External() {
		got = append(got, a.String())
	}
	if !slices.Equal(got, want) {
		w.t.Errorf("the external addresses are %q, want %q", got, want)
	}
}

// wantLogged checks how often something was logged at a level or above.
func (w *world) wantLogged(level zapcore.Level, text string, times int) {
	w.t.Helper()
	got := 0
	for _, e := range w.logs.All() {
		if e.Level >= level && strings.Contains(e.Message, text) {
			got++
		}
	}
	if got != times {
		w.t.Errorf("%q was logged %d times at %v or above, want %d: %v", text, got, level, times, w.logs.All())
	}
}
