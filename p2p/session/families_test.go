package session

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

var (
	four = addr.MustParse("tcp://1.1.1.1:7")
	six  = addr.MustParse("tcp+tls://[2606:4700::1]:7")
)

func failedDial(a addr.Addr, err error) error {
	return fmt.Errorf("slot: %w", &transport.Error{Op: "dial", Addr: a, Err: err})
}

// fails makes dials of a family find no route, so many times, a second apart.
func fails(f *Families, a addr.Addr, times int, errno syscall.Errno) {
	for range times {
		f.failed(a, failedDial(a, errno))
		<-time.After(time.Second)
	}
}

func noJitter(time.Duration) time.Duration { return 0 }

func TestN8AFamilyWithoutARouteIsSkippedAfterThreeFailures(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.ENETUNREACH, syscall.ENETDOWN, syscall.EADDRNOTAVAIL, syscall.EAFNOSUPPORT} {
		for dead, other := range map[addr.Addr]addr.Addr{four: six, six: four} {
			synctest.Test(t, func(t *testing.T) {
				f := NewFamilies(noJitter)
				f.worked(other)
				for i := range 3 {
					if f.Skips(dead) {
						t.Errorf("%v: %v is skipped after %d failures", errno, dead, i)
					}
					fails(f, dead, 1, errno)
				}
				if !f.Skips(dead) || f.Skips(other) {
					t.Errorf("%v: skipped are %v: %v and %v: %v, want the first alone", errno, dead, f.Skips(dead), other, f.Skips(other))
				}
				if fails(f, other, 1, errno); f.Skips(dead) || f.Skips(other) {
					t.Errorf("%v: when neither family works one is skipped: %v %v", errno, f.Skips(dead), f.Skips(other))
				}
			})
		}
	}
}

func TestN8AMachineThatIsOfflineForAMomentSkipsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := NewFamilies(noJitter)
		f.worked(six)
		for range 10 {
			f.failed(four, failedDial(four, syscall.ENETUNREACH))
		}
		if f.Skips(four) {
			t.Error("failures of one moment count as several")
		}
		f = NewFamilies(noJitter)
		if fails(f, four, 10, syscall.ENETUNREACH); f.Skips(four) {
			t.Error("the only family there is is skipped")
		}
	})
}

func TestN8AFamilyIsTriedAgainEveryFiveMinutes(t *testing.T) {
	for name, jitter := range map[string]func(time.Duration) time.Duration{
		"soonest": noJitter,
		"latest":  func(most time.Duration) time.Duration { return most },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := NewFamilies(jitter)
				f.worked(four)
				probes := 0
				for start := time.Now(); time.Since(start) < time.Hour; <-time.After(time.Second) {
					if !f.Skips(six) {
						probes++
						f.failed(six, failedDial(six, syscall.ENETUNREACH))
					}
				}
				if probes -= familyFailures; probes < 10 || probes > 13 {
					t.Errorf("%d probes in an hour, want 10 to 13", probes)
				}
			})
		})
	}
}

func TestN8AFamilyIsGoodAgainWithTheFirstSignOfAWay(t *testing.T) {
	for name, learn := range map[string]func(*Families){
		"a connection": func(f *Families) { f.worked(six) },
		"a refusal":    func(f *Families) { f.failed(six, failedDial(six, syscall.ECONNREFUSED)) },
		"silence":      func(f *Families) { f.failed(six, failedDial(six, context.DeadlineExceeded)) },
		"no route, says somebody on the way": func(f *Families) {
			f.failed(six, failedDial(six, syscall.EHOSTUNREACH))
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := NewFamilies(noJitter)
			f.worked(four)
			fails(f, six, 5, syscall.ENETUNREACH)
			if learn(f); f.Skips(six) {
				t.Errorf("after %s the family is still skipped", name)
			}
			if fails(f, six, 2, syscall.ENETUNREACH); f.Skips(six) {
				t.Errorf("after %s two failures are enough", name)
			}
		})
	}
}

func TestWhatSaysNothingOfAFamilyChangesNothing(t *testing.T) {
	for _, err := range []error{context.Canceled, ErrNotGlobal, syscall.EMFILE} {
		synctest.Test(t, func(t *testing.T) {
			f := NewFamilies(noJitter)
			f.worked(four)
			fails(f, six, 2, syscall.ENETUNREACH)
			f.failed(six, failedDial(six, err))
			if f.Skips(six) {
				t.Errorf("%v counts as a failure", err)
			}
			if fails(f, six, 1, syscall.ENETUNREACH); !f.Skips(six) {
				t.Errorf("%v counts as a sign of a way", err)
			}
		})
	}
}

func TestOnlyWhatIsDialledByAGlobalIPIsOfAFamily(t *testing.T) {
	for _, text := range []string{
		"tcp://node.example.org:7", "tcp://10.0.0.1:7", "tcp://[fd00::1]:7", "tcp://127.0.0.1:7", "tcp://[::1]:7",
		"socks5://1.1.1.1:7/2.2.2.2:7", "unix:///run/node",
	} {
		synctest.Test(t, func(t *testing.T) {
			f, a := NewFamilies(noJitter), addr.MustParse(text)
			f.worked(four)
			f.worked(six)
			if fails(f, a, 10, syscall.ENETUNREACH); f.Skips(a) || f.Skips(four) || f.Skips(six) {
				t.Errorf("%v was counted", a)
			}
		})
	}
}

func TestLocalFault(t *testing.T) {
	for err, want := range map[error]bool{
		syscall.ENETUNREACH:      true,
		syscall.EADDRNOTAVAIL:    true,
		syscall.EAFNOSUPPORT:     true,
		syscall.EMFILE:           true,
		syscall.ENFILE:           true,
		syscall.ENOBUFS:          true,
		syscall.ENOMEM:           true,
		syscall.EHOSTUNREACH:     false,
		syscall.ECONNREFUSED:     false,
		syscall.ECONNRESET:       false,
		context.DeadlineExceeded: false,
		ErrNotGlobal:             false,
		errors.New("else"):       false,
	} {
		if got := localFault(failedDial(four, err)); got != want {
			t.Errorf("%v: %v, want %v", err, got, want)
		}
	}
	if localFault(nil) {
		t.Error("no error is a fault")
	}
}

func BenchmarkSkips(b *testing.B) {
	f := NewFamilies(noJitter)
	for range 3 {
		f.failed(six, syscall.ENETUNREACH)
	}
	for b.Loop() {
		f.Skips(six)
	}
}
