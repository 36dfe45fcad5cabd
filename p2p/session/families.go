package session

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

const (
	// familyFailures is how many dials in a row that find no route make a family of
	// addresses one that is skipped.
	familyFailures = 3
	// A family that is skipped is tried again after familyPause and up to
	// familyJitter more.
	familyPause  = 4*time.Minute + 30*time.Second
	familyJitter = time.Minute
)

// Families knows which of IPv4 and IPv6 lead nowhere from here. When three dials in
// a row, a second apart, found no route to addresses of a family, all of its addresses
// are skipped but for one every five minutes or so; when a dial finds a way the
// family is as good as the other. None is skipped unless the other one works: a
// machine without any network has no family that is better.
//
// It counts and skips what is dialled by its own IP and may be reached from all of
// the internet. Private networks have routes of their own, and names and proxies
// may lead to either family. Its methods may be called from any goroutine.
type Families struct {
	jitter func(most time.Duration) time.Duration

	mu       sync.Mutex
	families [2]family // IPv4, IPv6
}

type family struct {
	failures int       // in a row, those within a second counted once
	failed   time.Time // last
	worked   bool      // once, at least
	probe    time.Time // when it may be tried again
}

// NewFamilies takes both families to be good. The jitter is a random time from 0 to
// most.
func NewFamilies(jitter func(most time.Duration) time.Duration) *Families {
	return &Families{jitter: jitter}
}

// Skips tells whether an address is of a family that leads nowhere, so that dialling
// it is in vain just now. It does not wait for anything.
func (f *Families) Skips(a addr.Addr) bool {
	of := f.of(a)
	if of == nil {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return of.failures >= familyFailures && time.Now().Before(of.probe) && f.other(of).good()
}

func (f *family) good() bool { return f.worked && f.failures == 0 }

func (f *Families) other(of *family) *family {
	if of == &f.families[0] {
		return &f.families[1]
	}
	return &f.families[0]
}

// tried learns from a dial, which failed unless err is nil.
func (f *Families) tried(a addr.Addr, err error) {
	if err != nil {
		f.failed(a, err)
	} else {
		f.worked(a)
	}
}

// failed learns from a dial that failed. Any failure but one on our side shows that
// there is a way.
func (f *Families) failed(a addr.Addr, err error) {
	of := f.of(a)
	switch {
	case of == nil:
	case noRoute(err):
		f.mu.Lock()
		defer f.mu.Unlock()
		now := time.Now()
		if of.failures > 0 && now.Sub(of.failed) < time.Second {
			return
		}
		of.failed = now
		if of.failures++; of.failures >= familyFailures {
			of.probe = now.Add(familyPause + f.jitter(familyJitter))
		}
	case localFault(err), errors.Is(err, ErrNotGlobal), errors.Is(err, context.Canceled): // nothing was learnt
	default:
		f.worked(a)
	}
}

// worked learns from a dial that succeeded.
func (f *Families) worked(a addr.Addr) {
	if of := f.of(a); of != nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		*of = family{worked: true}
	}
}

// of returns the family that an address is counted for, or nil.
func (f *Families) of(a addr.Addr) *family {
	switch a.Scheme() {
	case addr.TCP, addr.TCPTLS, addr.QUIC:
	default:
		return nil
	}
	ip, ok := a.IP()
	switch {
	case !ok || !addr.IsGlobalIP(ip):
		return nil
	case ip.Is4():
		return &f.families[0]
	}
	return &f.families[1]
}

// localFault tells whether a dial failed for a fault on our side, such as a network
// that cannot be reached from here, too many open files or a proxy that does not work: it
// says nothing about the address.
func localFault(err error) bool {
	return noRoute(err) || errors.Is(err, transport.ErrProxy) || isOneOf(err, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM)
}

// noRoute tells whether this machine had no way to an address.
func noRoute(err error) bool {
	return isOneOf(err, syscall.ENETUNREACH, syscall.ENETDOWN, syscall.EADDRNOTAVAIL, syscall.EAFNOSUPPORT)
}

func isOneOf(err error, numbers ...syscall.Errno) bool {
	for _, n := range numbers {
		if errors.Is(err, n) {
			return true
		}
	}
	return false
}
