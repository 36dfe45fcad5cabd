package doctor

import (
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/wire"
)

// finding is what was found out at one address.
type finding struct {
	stage  string
	target string
	checks []Check

	failed  bool
	version *wire.Version // that came from there, if one did
	heard   time.Time     // when it came
	told    int           // how many addresses of others it told
}

func newFinding(stage string, a addr.Addr) *finding {
	return &finding{stage: stage, target: show(a)}
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

// reason is the detail of the step that failed.
func (f *finding) reason() string { return f.checks[len(f.checks)-1].Detail }
