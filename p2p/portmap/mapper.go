package portmap

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"dchat/p2p/addr"
)

// Config is what a Mapper needs.
type Config struct {
	// Listening returns the addresses that are listened on, with the ports really
	// taken. Run calls it once.
	Listening func() []addr.Addr
	// Search finds the gateways; nil is FindGateways.
	Search Search
	// Changed is called, on the goroutine of Run, whenever External returns something
	// else than before; nil is nobody.
	Changed func()
	// Localnet lets the address outside be one that is not of the internet.
	Localnet bool
	// Log is told what is mapped, and why nothing is; nil is nobody.
	Log *zap.Logger
}

// Mapper keeps the ports of a node mapped.
type Mapper struct {
	cfg Config
	log *zap.Logger

	// Of the goroutine of Run.
	ports   []*inbound
	gateway Gateway         // the last one that was asked
	renewal time.Time       // when the mappings are renewed
	said    map[string]bool // the warnings that were given

	mu       sync.Mutex
	external []addr.Addr
}

const (
	lease = time.Hour
	// leastRenewal is the least time between two renewals, whatever lease the gateway
	// gives.
	leastRenewal = 30 * time.Second
	// lookInterval is the time between two questions to the gateway whether all is as
	// it was.
	lookInterval = 5 * time.Minute
	// The pauses between two searches for a gateway double from first to last.
	firstPause = time.Minute
	lastPause  = 30 * time.Minute

	searchTime  = 3 * time.Second
	requestTime = 3 * time.Second
	// When the run ends, the mapping that is being made may still come about, since
	// nobody could remove it otherwise, and then all are removed. With the half second
	// that a gateway may take to heed each, that is less than two.
	graceTime   = 500 * time.Millisecond
	releaseTime = 900 * time.Millisecond
)

// New makes a Mapper; Run maps.
func New(cfg Config) *Mapper {
	if cfg.Search == nil {
		cfg.Search = FindGateways
	}
	if cfg.Changed == nil {
		cfg.Changed = func() {}
	}
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	return &Mapper{cfg: cfg, log: cfg.Log, said: make(map[string]bool)}
}

// External returns the addresses at which others reach what is mapped now, by the
// schemes of what is listened on. It may be called from any goroutine.
func (m *Mapper) External() []addr.Addr {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.external)
}

// Run keeps the ports mapped until ctx ends, and then removes the mappings, for which
// it takes 2 s at most. It is to be called once.
func (m *Mapper) Run(ctx context.Context) {
	m.ports = behindNAT(m.cfg.Listening())
	if len(m.ports) == 0 {
		m.log.Info("No port is mapped: this node listens on no address that a router could pass connections on to")
		return
	}
	defer m.release(ctx)
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		if m.find(ctx) {
			m.keep(ctx)
			m.tell(netip.Addr{})
			pause = firstPause
		}
		if !sleep(ctx, pause) {
			return
		}
	}
}

// find looks for a gateway that maps a port, and tells whether there is one.
func (m *Mapper) find(ctx context.Context) bool {
	searching, cancel := context.WithTimeout(ctx, searchTime)
	gateways, err := m.cfg.Search(searching)
	cancel()
	if len(gateways) == 0 && err == nil {
		err = ErrNoGateway
	}
	for _, g := range gateways {
		m.turnTo(g)
		if err = m.round(ctx, true); err == nil {
			return true
		}
		if ctx.Err() == nil {
			m.release(ctx)
		}
	}
	switch {
	case ctx.Err() != nil:
	case errors.Is(err, ErrNoNAT):
		m.once(zap.InfoLevel, "No port is mapped, and none needs to be: this machine has a public address itself")
	default:
		m.once(zap.WarnLevel, "No port could be mapped, which is tried again from time to time: turn on UPnP or NAT-PMP in the router; or open the port there by hand, and turn port_mapping off here", zap.Error(err))
	}
	return false
}

// turnTo goes on with another gateway, where what the last one mapped ends with its
// lease, or with the same one again.
func (m *Mapper) turnTo(next Gateway) {
	same := m.gateway != nil && m.gateway.String() == next.String()
	for _, in := range m.ports {
		in.held = false
		if !same {
			in.made, in.mapping = false, Mapping{}
		}
	}
	m.gateway = next
}

// keep renews the mappings until the gateway is lost or ctx ends.
func (m *Mapper) keep(ctx context.Context) {
	for sleep(ctx, min(lookInterval, time.Until(m.renewal))) {
		err := m.round(ctx, !time.Now().Before(m.renewal))
		if err == nil {
			continue
		}
		if ctx.Err() == nil {
			m.log.Warn("The router does not map ports any more; looking for it again", zap.Stringer("router", m.gateway), zap.Error(err))
		}
		return
	}
}

// round makes or renews the mappings if that is due, or if the gateway has forgotten
// one, and tells where they are. Without an error at least one is there.
func (m *Mapper) round(ctx context.Context, due bool) error {
	for range 2 {
		if due {
			if err := m.mapAll(ctx); err != nil {
				return err
			}
		}
		asking, cancel := context.WithTimeout(ctx, requestTime)
		ip, err := m.gateway.Look(asking, m.mappings())
		cancel()
		if err == nil {
			m.tell(ip)
		}
		if !errors.Is(err, ErrForgotten) {
			return err
		}
		m.log.Info("The router has forgotten a mapping; asking it again", zap.Stringer("router", m.gateway))
		due = true
	}
	return ErrForgotten
}

// mappings are those that the gateway has.
func (m *Mapper) mappings() []Mapping {
	var held []Mapping
	for _, in := range m.ports {
		if in.held {
			held = append(held, in.mapping)
		}
	}
	return held
}

// tell makes known where the mappings are when the gateway has an address outside;
// with the zero one they are nowhere.
func (m *Mapper) tell(ip netip.Addr) {
	var external []addr.Addr
	believed := ip.Is4() && (addr.IsGlobalIP(ip) || m.cfg.Localnet && !ip.IsUnspecified() && !ip.IsMulticast())
	for _, in := range m.ports {
		if in.held && believed {
			external = append(external, addr.FromIP(in.scheme, netip.AddrPortFrom(ip, in.mapping.External)))
		}
	}
	if ip.IsValid() && !believed {
		m.once(zap.WarnLevel, "The router has no public address, so it is behind another router, and others cannot connect to this node through it", zap.Stringer("router", m.gateway), zap.Stringer("address", ip))
	}
	m.mu.Lock()
	before := m.external
	m.external = external
	m.mu.Unlock()
	if slices.Equal(before, external) {
		return
	}
	for _, a := range external {
		if !slices.Contains(before, a) {
			m.log.Info("Port mapped", zap.String("addr", a.String()), zap.Stringer("router", m.gateway))
		}
	}
	m.cfg.Changed()
}

// once logs, and a second time at the debug level only.
func (m *Mapper) once(level zapcore.Level, message string, fields ...zap.Field) {
	if m.said[message] {
		level = zap.DebugLevel
	}
	m.said[message] = true
	m.log.Log(level, message, fields...)
}

// sleep waits for so long, and tells whether ctx goes on.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
