package transporttest

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

const (
	// limit is the time in which everything that is to happen has happened.
	limit = 20 * time.Second
	// moment is the time after which what is to wait is taken to wait.
	moment = 50 * time.Millisecond
)

// Subject is the transport under test, fresh for each test.
type Subject struct {
	Transport transport.Transport

	// Listener listens, where Transport only dials; nil is Transport itself.
	Listener transport.Transport

	// Listen is an address to listen on, of this host: with port 0, or without any
	// where the scheme has no ports.
	Listen addr.Addr

	// To is what Transport dials to reach a listener; nil is its address itself.
	To func(listener addr.Addr) addr.Addr

	// Silent says that nobody refuses what is dialled where nobody listens: such a
	// dial ends with its deadline.
	Silent bool

	// DiallerFirst says that an accepted connection is ready only when the dialler
	// has said something.
	DiallerFirst bool

	// Stalled returns an address at which dialling neither succeeds nor fails
	// for as long as the test runs.
	Stalled func(t *testing.T) addr.Addr
}

// listener is who listens.
func (s Subject) listener() transport.Transport {
	if s.Listener != nil {
		return s.Listener
	}
	return s.Transport
}

// to is what is dialled to reach a listener.
func (s Subject) to(listener addr.Addr) addr.Addr {
	if s.To != nil {
		return s.To(listener)
	}
	return listener
}

// hasPorts tells whether addresses have ports.
func (s Subject) hasPorts() bool {
	_, ok := s.Listen.Port()
	return ok
}

// dial dials what leads to a listener.
func (s Subject) dial(ctx context.Context, listener addr.Addr) (transport.Conn, error) {
	return s.Transport.Dial(ctx, s.to(listener))
}

// Run tests a transport.
func Run(t *testing.T, subject func(t *testing.T) Subject) {
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) { c.test(t, subject) })
	}
}

// RunVirtual tests a transport in virtual time, each test in a bubble of package
// testing/synctest, which tells in addition that it blocks in ways the bubble
// understands and leaves no goroutine behind.
func RunVirtual(t *testing.T, subject func(t *testing.T) Subject) {
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.test(t, subject) })
		})
	}
}

type testCase struct {
	name string
	run  func(*testing.T, Subject)
}

// test runs the case, and sees that nothing is left of the connections.
func (c testCase) test(t *testing.T, subject func(t *testing.T) Subject) {
	s := subject(t)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		for _, used := range []transport.Transport{s.Transport, s.listener()} {
			if settler, ok := used.(transport.Settler); ok {
				settler.Settle(ctx)
			}
		}
	})
	c.run(t, s)
}

func cases() []testCase {
	return []testCase{
		{"port 0 becomes a port of its own", testPortZero},
		{"an address without a port is refused", testNoPort},
		{"an address is listened on once", testAddressInUse},
		{"only what can listen does", testDialOnly},
		{"dialling nobody fails", testNobody},
		{"a cancelled dial is not begun", testDialCancelled},
		{"cancelling ends a dial", testCancelDial},
		{"a deadline ends a dial", testDialDeadline},
		{"closing a listener unblocks Accept", testListenerClose},
		{"connections outlive listener and dial context", testOutlive},
		{"both ends know each other", testPeer},
		{"many connections at once", testMany},

		{"nothing can be written and read at any time", testEmpty},
		{"bytes arrive in order in both directions at once", testBothWays},
		{"a slow reader gets everything", testSlowReader},
		{"writes do not break into each other", testConcurrentWrites},
		{"readers share the stream", testConcurrentReads},
		{"one half can end before the other", testHalfClose},

		{"a read deadline ends a read, not the stream", testReadDeadline},
		{"a deadline reaches a read under way", testReadDeadlineMoved},
		{"a write deadline ends a write that nobody reads", testWriteDeadline},
		{"what was written before closing arrives", testPeerClose},
		{"writing to a peer that is gone fails", testWriteToClosed},
		{"closing unblocks a read", testCloseUnblocksRead},
		{"closing unblocks a write", testCloseUnblocksWrite},
	}
}

// listen listens until the test ends.
func listen(t *testing.T, s Subject) transport.Listener {
	t.Helper()
	l, err := s.listener().Listen(t.Context(), s.Listen)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // the test may have closed it
	return l
}

// connect makes a connection that stays until the test ends. Deadlines are set,
// so that nothing waits for ever.
func connect(t *testing.T, s Subject, l transport.Listener) (dialled, accepted transport.Conn) {
	t.Helper()
	accepting := inBackground(func() (transport.Conn, error) { return accept(l) })
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	dialled, dialErr := s.dial(ctx, l.Addr())
	if dialErr == nil && s.DiallerFirst {
		_, dialErr = dialled.Write([]byte{1})
	}
	if dialErr != nil {
		_ = l.Close() // unblocks Accept
	}
	accepted, acceptErr := accepting()
	if acceptErr == nil && s.DiallerFirst {
		acceptErr = readByte(accepted)
	}
	for _, c := range []transport.Conn{dialled, accepted} {
		if c != nil {
			t.Cleanup(func() { _ = c.Close() }) // the test may have closed it
		}
	}
	if dialErr != nil || acceptErr != nil {
		t.Fatalf("dial: %v; accept: %v", dialErr, acceptErr)
	}
	if err := dialled.SetDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	return dialled, accepted
}

// accept takes a connection and makes it ready.
func accept(l transport.Listener) (transport.Conn, error) {
	c, err := l.Accept()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := transport.Handshake(ctx, c); err != nil {
		return c, err
	}
	return c, c.SetDeadline(time.Now().Add(limit))
}

// inBackground calls f on a goroutine and returns what waits for its result.
func inBackground[T any](f func() (T, error)) func() (T, error) {
	var (
		result T
		err    error
		done   = make(chan struct{})
	)
	go func() {
		defer close(done)
		result, err = f()
	}()
	return func() (T, error) {
		<-done
		return result, err
	}
}
