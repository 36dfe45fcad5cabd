package app

import (
	"strings"
	"testing"
	"time"

	"go.uber.org/fx"

	"dchat/app/doctor"
	"dchat/chat/jsonrpc"
	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

// dial connects to the daemon's JSON-RPC.
func (p *process) dial() *jsonrpc.Client {
	p.t.Helper()
	client, err := jsonrpc.Dial(p.t.Context(), p.server.Addr())
	if err != nil {
		p.t.Fatal(err)
	}
	return client
}

// ask asks the daemon for one thing.
func (p *process) ask(method string, result any, params ...any) {
	p.t.Helper()
	client := p.dial()
	defer client.Close() //nolint:errcheck // nothing is lost
	if err := client.Call(p.t.Context(), method, append([]any{}, params...), result); err != nil {
		p.t.Fatalf("%s: %v", method, err)
	}
}

// A transport that the program adds is one of the node's and of the doctor's, beside those that
// all have.
func TestATransportOfTheProgramIsExamined(t *testing.T) {
	mirror := transport.Named{Scheme: "mirror", Transport: transport.NewMem()}
	settings := p2p.DefaultSettings()
	settings.ActiveProfiles = []string{"mirror", addr.TCP}
	settings.Inbound = []addr.Addr{addr.MustParse("mirror://alice:1"), addr.MustParse("tcp://127.0.0.1:0")}
	settings.Seeds = []addr.Addr{addr.MustParse("mirror://nobody:1")}
	p := launchWith(t, configured(settings), fx.Supply(fx.Annotate(mirror, fx.ResultTags(`group:"transports"`))))
	p.log.WaitFor(t, "rpc: Listening")
	for range time.Tick(time.Millisecond) {
		if p.node.State() == p2p.Running {
			break
		}
	}
	var report doctor.Report
	p.ask(doctor.Method, &report)
	var got []string
	for _, c := range report.Checks {
		if c.Stage == doctor.StageListening || c.Stage == doctor.StageSeed {
			got = append(got, strings.Join([]string{string(c.Status), c.Stage, c.Step, c.Detail}, " "))
		}
	}
	const want = "ok listening  it listens\nok listening  it listens\nfail seed connect refused: nothing listens there"
	if strings.Join(got, "\n") != want {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
}
