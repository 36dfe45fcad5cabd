package logfx

import (
	"sync"
	"time"

	"go.uber.org/zap/zapcore"
)

// budget is what may be logged in one second. One message, however often it comes, gets
// a quarter of the lines, so that the others are seen beside it.
type budget struct{ lines, bytes int }

// What peers do is never logged as an error, so errors have a budget of their own, which a
// flood of other lines cannot use up. Debug lines come on top: who wants them wants many.
func budgetOf(level zapcore.Level) (class int, b budget) {
	switch {
	case level < zapcore.InfoLevel:
		return 0, budget{lines: 1000, bytes: 1 << 20}
	case level < zapcore.ErrorLevel:
		return 1, budget{lines: 75, bytes: 15 << 10}
	default:
		return 2, budget{lines: 20, bytes: 64 << 10}
	}
}

// window is what was logged in the current second.
type window struct {
	start  time.Time
	lines  int
	bytes  int
	seen   map[string]int // lines by message
	missed int            // lines left out
}

// limiter bounds what is logged, in lines and in bytes. It is safe for concurrent use.
type limiter struct {
	mu      sync.Mutex
	windows [3]window
	missed  int // in windows that are over
}

func newLimiter() *limiter {
	l := &limiter{}
	for i := range l.windows {
		l.windows[i].seen = make(map[string]int)
	}
	return l
}

// admit tells whether an entry may be written, and how many were left out in the seconds
// before, for which the caller then accounts.
func (l *limiter) admit(ent zapcore.Entry) (ok bool, missed int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	class, budget := budgetOf(ent.Level)
	w := &l.windows[class]
	if age := ent.Time.Sub(w.start); age < 0 || age >= time.Second {
		l.missed += w.missed
		clear(w.seen)
		*w = window{start: ent.Time, seen: w.seen}
	}
	missed, l.missed = l.missed, 0
	if w.lines >= budget.lines || w.bytes >= budget.bytes || w.seen[ent.Message] >= budget.lines/4 {
		w.missed++
		return false, missed
	}
	w.lines++
	w.seen[ent.Message]++
	return true, missed
}

// written takes the size of an admitted line off the budget.
func (l *limiter) written(level zapcore.Level, size int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	class, _ := budgetOf(level)
	l.windows[class].bytes += size
}

// takeMissed returns how many lines were left out and not accounted for yet.
func (l *limiter) takeMissed() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	missed := l.missed
	l.missed = 0
	for i := range l.windows {
		missed += l.windows[i].missed
		l.windows[i].missed = 0
	}
	return missed
}
