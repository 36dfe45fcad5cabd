package relisten

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	errBroken = errors.New("broken")
	errGone   = errors.New("gone")
)

// try is what becomes of one listener: it is not to be had, or it works for a while and breaks.
type try struct {
	gone  bool
	works time.Duration
}

func (try) Close() error { return nil }

// keep goes through the tries, of which the last repeats, and returns when they began.
func keep(ctx context.Context, tries ...try) (began []time.Duration, err error) {
	start := time.Now()
	listen := func(context.Context) (try, error) {
		began = append(began, time.Since(start))
		next := tries[min(len(began), len(tries)-1)]
		if next.gone {
			return next, errGone
		}
		return next, nil
	}
	serve := func(l try) error {
		select {
		case <-time.After(l.works):
			return errBroken
		case <-ctx.Done():
			return nil
		}
	}
	err = Keep(ctx, zap.NewNop(), tries[0], serve, listen)
	return began, err
}

func TestAListenerThatBreaksIsReplaced(t *testing.T) {
	ms := func(n ...int) (times []time.Duration) {
		for _, n := range n {
			times = append(times, time.Duration(n)*time.Millisecond)
		}
		return times
	}
	giveUp := ms(100, 300, 700, 1500, 3100, 6300, 11300, 16300, 21300, 26300, 31300)
	for name, c := range map[string]struct {
		tries []try
		want  []time.Duration // when it was listened again
		err   error
	}{
		"at once":                  {[]try{{}, {works: time.Hour}}, ms(100), nil},
		"when its address is back": {[]try{{}, {gone: true}, {gone: true}, {gone: true}, {works: time.Hour}}, ms(100, 300, 700, 1500), nil},
		"however often it works for a while": {
			[]try{{works: 10 * time.Second}, {works: 10 * time.Second}, {works: 10 * time.Second}, {works: 10 * time.Second}, {works: time.Hour}},
			ms(10_100, 20_200, 30_300, 40_400), nil,
		},
		"not when its address does not come back":  {[]try{{}, {gone: true}}, giveUp, errGone},
		"not when every other one breaks at once":  {[]try{{}}, giveUp, errBroken},
		"not when it works for a moment only":      {[]try{{works: time.Millisecond}, {}, {}, {gone: true}}, nil, errGone},
		"again, with all the time, when it worked": {[]try{{}, {gone: true}, {works: time.Minute}, {gone: true}, {gone: true}, {works: time.Hour}}, ms(100, 300, 60_400, 60_600, 61_000), nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
				defer cancel()
				began, err := keep(ctx, c.tries...)
				if !errors.Is(err, c.err) || err != nil && ctx.Err() != nil {
					t.Errorf("the error is %v, want %v", err, c.err)
				}
				if c.want != nil && !slices.Equal(began, c.want) {
					t.Errorf("listened again at %v, want %v", began, c.want)
				}
			})
		})
	}
}

func TestTheEndOfTheContextIsNoFault(t *testing.T) {
	for name, tries := range map[string][]try{
		"while it works":      {{works: time.Hour}},
		"between two tries":   {{}, {gone: true}},
		"when both are tried": {{works: time.Millisecond}, {works: time.Millisecond}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				start := time.Now()
				if _, err := keep(ctx, tries...); err != nil || time.Since(start) != 2*time.Second {
					t.Errorf("it ended after %v with %v, want nil after 2s", time.Since(start), err)
				}
			})
		})
	}
}

func TestAListenThatHangsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		err := Keep(t.Context(), zap.NewNop(), try{}, func(try) error { return errBroken }, func(ctx context.Context) (try, error) {
			<-ctx.Done()
			return try{}, ctx.Err()
		})
		if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took > 45*time.Second {
			t.Errorf("it ended after %v with %v", took, err)
		}
	})
}

func TestWhatPassesByItself(t *testing.T) {
	accept := func(err error) error { return &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", err)} }
	for _, c := range []struct {
		err  error
		want bool
	}{
		{accept(syscall.EMFILE), true},
		{accept(syscall.ENFILE), true},
		{accept(syscall.ENOBUFS), true},
		{accept(syscall.ENOMEM), true},
		{syscall.EMFILE, true},
		{fmt.Errorf("wrapped: %w", accept(syscall.EMFILE)), true},
		{accept(syscall.EINVAL), false},
		{accept(syscall.EBADF), false},
		{accept(net.ErrClosed), false},
		{net.ErrClosed, false},
		{errBroken, false},
	} {
		if got := Temporary(c.err); got != c.want {
			t.Errorf("%v: %v, want %v", c.err, got, c.want)
		}
	}
}
