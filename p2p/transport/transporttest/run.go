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

	// Listen is an address to listen on, of this host and with port 0.
	Listen addr.Addr

	// Stalled returns an address at which dialling neither succeeds nor fails
	// for as long as the test runs.
	Stalled func(t *testing.T) addr.Addr
}

// Run tests a transport.
func Run(t *testing.T, subject func(t *testing.T) Subject) {
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) { c.run(t, subject(t)) })
	}
}

// RunVirtual tests a transport in virtual time, each test in a bubble of package
// testing/synctest, which tells in addition that it blocks in ways the bubble
// understands and leaves no goroutine behind.
func RunVirtual(t *testing.T, subject func(t *testing.T) Subject) {
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.run(t, subject(t)) })
		})
	}
}

type testCase struct {
	name string
	run  func(*testing.T, Subject)
}

func cases() []testCase {
	return []testCase{
		{"port 0 becomes a port of its own", testPortZero},
		{"an address without a port is refused", testNoPort},
		{"a port is listened on once", testAddressInUse},
		{"dialling nobody is refused", testRefused},
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
	l, err := s.Transport.Listen(t.Context(), s.Listen)
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
	dialled, dialErr := s.Transport.Dial(ctx, l.Addr())
	if dialErr != nil {
		_ = l.Close() // unblocks Accept
	}
	accepted, acceptErr := accepting()
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
