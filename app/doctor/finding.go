package doctor

import (
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/wire"
)

// finding is what was found out at one address.
type finding struct {
	stage    string
	target   string
	endpoint addr.Addr // that is dialled; the zero address before it is known
	mixed    bool      // the endpoint is another one than the address
	checks   []Check

	failed  bool
	version *wire.Version // that came from there, if one did
	heard   time.Time     // when it came
	told    int           // how many addresses of others it told
}

func newFinding(stage string, a addr.Addr) *finding {
	return &finding{stage: stage, target: show(a)}
}

// join adds what was found on each way to an address. It takes one to get there; then
// those on which nothing came of it are only worth a warning.
func (f *finding) join(ways []*finding) {
	f.failed = true
	for _, w := range ways {
		f.failed = f.failed && w.failed
	}
	for _, w := range ways {
		if last := &w.checks[len(w.checks)-1]; last.Status == Fail && !f.failed {
			last.Status = Warn
		}
		f.checks = append(f.checks, w.checks...)
		if f.version == nil {
			f.version, f.heard = w.version, w.heard
		}
		f.told = max(f.told, w.told)
	}
}

// ok notes a step that succeeded.
func (f *finding) ok(step, detail string, took time.Duration) {
	f.note(step, OK, fault{detail: detail}, took)
}

// fail notes the step at which the address came to its end.
func (f *finding) fail(step string, why fault, took time.Duration) *finding {
	f.failed = true
	status := Fail
	if f.stage == StageExternal { // it keeps nobody from connecting out
		status = Warn
	}
	f.note(step, status, why, took)
	return f
}

func (f *finding) note(step string, status Status, what fault, took time.Duration) {
	f.checks = append(f.checks, Check{
		Stage: f.stage, Step: step, Target: f.target,
		Status: status, Detail: what.detail, Advice: what.advice, Took: took,
	})
}

// reason is the step that failed, the last one if there are several ways.
func (f *finding) reason() Check {
	why := f.checks[len(f.checks)-1]
	for _, c := range f.checks {
		if c.Status == Fail {
			why = c
		}
	}
	return why
}
