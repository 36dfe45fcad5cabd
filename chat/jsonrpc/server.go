package jsonrpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"dchat/p2p/addr"
	"dchat/p2p/relisten"
)

// ErrRunning is what Start returns on a server that runs, or whose last Stop has not joined
// everything.
var ErrRunning = errors.New("JSON-RPC server runs already")

// Server answers requests on one address. All its methods may be called at the same time.
type Server struct {
	cfg     Config
	methods map[string]Handler // those that are not disabled
	unknown []string           // names in cfg.Disabled that are no method
	log     *zap.Logger
	lost    chan error    // room for one
	huge    chan struct{} // holds a token for each request beyond hugeLine
	listen  func(context.Context, addr.Addr) (net.Listener, error)

	mu      sync.Mutex
	current *running // nil while stopped
}

// running is what exists from Start to Stop.
type running struct {
	http   *http.Server // nil on a line listener
	addr   addr.Addr
	cancel context.CancelFunc // closes the listener too
	tasks  sync.WaitGroup     // the accept loop and all connections
	stop   sync.Once
	joined chan struct{} // closed when stop has been called and tasks are done
}

// New checks cfg and makes a server of the methods; it does no I/O. An error says which setting is
// wrong.
func New(cfg Config, methods map[string]Handler) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("JSON-RPC: %w", err)
	}
	enabled := make(map[string]Handler, len(methods))
	for name, handler := range methods {
		if handler == nil {
			return nil, fmt.Errorf("JSON-RPC: method %q has no handler", name)
		}
		if !slices.Contains(cfg.Disabled, name) {
			enabled[name] = handler
		}
	}
	unknown := slices.DeleteFunc(slices.Clone(cfg.Disabled), func(name string) bool {
		return methods[name] != nil
	})
	return &Server{cfg: cfg, methods: enabled, unknown: unknown, log: cfg.Log, lost: make(chan error, 1), huge: make(chan struct{}, maxHuge), listen: listen}, nil
}

// Start binds the address and serves it until Stop; ctx bounds only the binding. It returns when
// clients can connect. The error names the address and what to do about it; ErrRunning when the
// server runs already.
func (s *Server) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil {
		return ErrRunning
	}
	select {
	case <-s.lost: //nolint:errcheck // of the last run
	default:
	}
	listener, err := s.listen(ctx, s.cfg.Listen)
	if err != nil {
		return cannotListen(s.cfg.Listen, err)
	}
	bound := boundAddr(s.cfg.Listen, listener)
	if !isLocal(listener.Addr()) {
		s.log.Warn("JSON-RPC can be reached from other machines, and has no authentication",
			zap.String("addr", bound.Redacted()))
	}
	if len(s.unknown) > 0 {
		s.log.Warn("JSON-RPC methods to disable that do not exist", zap.Strings("methods", s.unknown))
	}
	serving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r := &running{addr: bound, cancel: cancel, joined: make(chan struct{})}
	slots := newSlotListener(listener, s.cfg.MaxConns)
	if s.cfg.Listen.Scheme() == addr.HTTPTCP {
		slots.refusal = httpRefusal()
		r.http = s.httpServer(serving, &r.tasks)
		r.tasks.Go(func() { s.keep(serving, bound, slots, r.http.Serve) })
	} else {
		slots.refusal = append(encodeError(nil, tooManyConns()), lineEnd...)
		r.tasks.Go(func() {
			s.keep(serving, bound, slots, func(l net.Listener) error { return s.acceptLines(serving, l, &r.tasks) })
		})
	}
	s.current = r
	return nil
}

func cannotListen(a addr.Addr, err error) error {
	return fmt.Errorf("JSON-RPC: cannot listen on %s: %w", a.Redacted(), err)
}

// acceptLines serves every client that connects until the listener is closed or breaks, or ctx
// ends. The error says which.
func (s *Server) acceptLines(ctx context.Context, listener net.Listener, tasks *sync.WaitGroup) error {
	const shortest, longest = 5 * time.Millisecond, time.Second
	pause := shortest
	for {
		nc, err := listener.Accept()
		switch {
		case err == nil:
			pause = shortest
			tasks.Go(func() { s.serveConn(ctx, nc) })
		case !relisten.Temporary(err):
			return err
		default:
			s.log.Warn("JSON-RPC cannot accept a connection", zap.Error(err))
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(pause):
			}
			pause = min(2*pause, longest)
		}
	}
}

// Stop closes the listener, ends the contexts of the methods and streams under way, gives their
// connections a second to take what they were sent, and joins everything. When ctx ends first it
// returns ctx's error; the rest goes on ending, and a further Stop joins it. On a server that does
// not run it does nothing.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	r := s.current
	s.mu.Unlock()
	if r == nil {
		return nil
	}
	r.stop.Do(func() { go r.shutDown(context.WithoutCancel(ctx)) })
	select {
	case <-r.joined:
	case <-ctx.Done():
		return fmt.Errorf("JSON-RPC: stopping: %w", ctx.Err())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == r {
		s.current = nil
	}
	return nil
}

func (r *running) shutDown(ctx context.Context) {
	defer close(r.joined)
	r.cancel()
	if r.http != nil {
		ctx, cancel := context.WithTimeout(ctx, lingerTime)
		defer cancel()
		if r.http.Shutdown(ctx) != nil {
			_ = r.http.Close()
		}
	}
	r.tasks.Wait()
}

// Addr is the address it listens on, with the port that was really bound; while it does not run,
// the one of the configuration.
func (s *Server) Addr() addr.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil {
		return s.cfg.Listen
	}
	return s.current.addr
}
