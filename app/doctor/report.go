package doctor

import "time"

// Status is what came of one check.
type Status string

// The statuses.
const (
	OK   Status = "ok"
	Warn Status = "warn" // allowed, and perhaps not meant; it does not keep the node from connecting
	Fail Status = "fail"
	Skip Status = "skip" // there was nothing to look at, or no way to
)

// The stages, in the order in which they are reported.
const (
	StageConfiguration = "configuration"
	StageDaemon        = "daemon"
	StageListening     = "listening"
	StageSeed          = "seed"
	StagePeer          = "peer"
	StageConnections   = "connections"
	StageSlot          = "slot"
	StageAddresses     = "addresses"
	StageBans          = "bans"
	StageExternal      = "external address"
	StageClock         = "clock"
)

// The steps in which a seed, a peer or an external address is asked, in their
// order. The first is there only when it fails.
const (
	StepDialable  = "dialable" // by this node at all
	StepRoute     = "route"    // where the address is dialled through another network: once for each way
	StepResolve   = "resolve"
	StepProxy     = "proxy" // through which it is dialled
	StepConnect   = "connect"
	StepTLS       = "tls"
	StepVersion   = "version"
	StepAddresses = "addresses" // of others, that a seed tells
)

// Check is one thing that was looked at. Its texts are for people; what other
// nodes said may be in them as it came, so they must be escaped before they are
// shown.
type Check struct {
	Stage  string        `json:"stage"`
	Step   string        `json:"step,omitempty"`   // of a stage that has several
	Target string        `json:"target,omitempty"` // the address, file or slot that it is about
	Status Status        `json:"status"`
	Detail string        `json:"detail"`
	Advice string        `json:"advice,omitempty"` // what to do about it
	Took   time.Duration `json:"took_ns,omitempty"`
}

// Report is the outcome of an examination.
type Report struct {
	Summary   string  `json:"summary"`   // one sentence or two
	Connected int     `json:"connected"` // peers now; 0 too when there is no node
	Checks    []Check `json:"checks"`    // in the order of the stages
}
