//go:build !race

// The race detector has goroutines run in random order.

package p2ptest_test

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// story is what happens in a network with some faults: who dialled whom, when, and what came
// of it.
func story(t *testing.T, seed uint64) (dials []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		config := usual
		config.Seed, config.Loss = seed, 0.02
		w := newWorld(t, config)
		w.seed()
		w.grow(30)
		<-time.After(10 * time.Second)
		w.Partition(w.members[:10], w.members[10:])
		<-time.After(time.Minute)
		w.Heal()
		<-time.After(time.Minute)
		for _, d := range w.dials() {
			dials = append(dials, fmt.Sprintln(d.At, d.Took, d.From, d.To, d.Err))
		}
	})
	return dials
}

func TestTheSameSeedIsTheSameRun(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	first, second, other := story(t, 1), story(t, 1), story(t, 2)
	if i := difference(first, second); i >= 0 {
		t.Errorf("of %d and %d dials the first %d are the same; then\n%v%v", len(first), len(second), i, at(first, i), at(second, i))
	}
	if slices.Equal(first, other) {
		t.Error("another seed is the same run too")
	}
	t.Logf("%d dials", len(first))
}

// difference is where two stories begin to differ, -1 when they do not.
func difference(a, b []string) int {
	for i := range max(len(a), len(b)) {
		if at(a, i) != at(b, i) {
			return i
		}
	}
	return -1
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "nothing\n"
}
