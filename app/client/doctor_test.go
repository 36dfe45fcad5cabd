package client

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"dchat/app/doctor"
	"dchat/chat/jsonrpc"
	"dchat/p2p/addr"
)

// aReport has everything in it that is shown in a way of its own.
var aReport = doctor.Report{
	Summary: "Not connected: no seed answers.",
	Checks: []doctor.Check{
		{Stage: doctor.StageConfiguration, Target: "/home/ann/dchatd_config.toml", Status: doctor.OK, Detail: "valid"},
		{Stage: doctor.StageConfiguration, Status: doctor.Warn, Detail: "outbound_connections is 0", Advice: "Set it to 8, say."},
		{Stage: doctor.StageDaemon, Status: doctor.OK, Detail: "it runs and answers"},
		{Stage: doctor.StageSeed, Target: "tcp+tls://seed.example:1", Step: doctor.StepResolve, Status: doctor.OK, Detail: "192.0.2.1", Took: 12345 * time.Microsecond},
		{Stage: doctor.StageSeed, Target: "tcp+tls://seed.example:1", Step: doctor.StepConnect, Status: doctor.OK, Detail: "192.0.2.1:1", Took: time.Microsecond},
		{Stage: doctor.StageSeed, Target: "tcp+tls://seed.example:1", Step: doctor.StepVersion, Status: doctor.Fail, Detail: "the seed runs \x1b[31mred\n 0.5.0, you run dchatd 0.4.1", Advice: "Take another seed."},
		{Stage: doctor.StageSeed, Target: "tcp://seed.example:2", Step: doctor.StepResolve, Status: doctor.Fail, Detail: "there is no such name", Took: 2 * time.Second},
		{Stage: doctor.StageSlot, Target: "0-7", Status: doctor.Warn, Detail: "sleeping"},
		{Stage: doctor.StageExternal, Status: doctor.Skip, Detail: "none"},
		{Stage: "future", Status: "unheard of", Detail: "?"},
	},
}

const aReportShown = `ok  configuration     /home/ann/dchatd_config.toml: valid
 !  configuration     outbound_connections is 0
                        Set it to 8, say.
ok  daemon            it runs and answers
    seed              tcp+tls://seed.example:1
ok    resolve         192.0.2.1 (12ms)
ok    connect         192.0.2.1:1
!!    version         the seed runs \u001b[31mred⏎ 0.5.0, you run dchatd 0.4.1
                        Take another seed.
    seed              tcp://seed.example:2
!!    resolve         there is no such name (2s)
 !  slot 0-7          sleeping
--  external address  none
??  future            ?

Not connected: no seed answers.
`

// at home is where a command finds no configuration but that of the test.
func atHome(t *testing.T, config string) []string {
	t.Helper()
	home := t.TempDir()
	if config != "" {
		file := filepath.Join(home, ".config", "darkfi", "dchatd_config.toml")
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return []string{"HOME=" + home}
}

// A daemon that is there and says nothing is not one that does not run.
func TestDoctorTellsASilentDaemonFromNone(t *testing.T) {
	at := addr.MustParse("tcp://127.0.0.1:51054")
	d := &daemon{endpoint: at}
	_, late := net.DialTimeout("tcp", at.HostPort(), 1)
	for _, c := range []struct {
		err            error
		code           int
		detail, advice string
	}{
		{context.DeadlineExceeded, exitUnreachable, "does not answer within 30s", "hangs"},
		{fmt.Errorf("%w: %w", jsonrpc.ErrUnreachable, syscall.ECONNREFUSED), exitUnreachable, "no daemon answers there", "`dchatd`"},
		{fmt.Errorf("%w: %w", jsonrpc.ErrUnreachable, late), exitUnreachable, "no daemon answers there (i/o timeout)", "`dchatd`"},
		{jsonrpc.ErrDisconnected, exitFailed, "ended the connection", ""},
	} {
		err := d.explain(c.err)
		check := silent(at, err)
		if code := exitCode(failure{unanswered(err)}); code != c.code || !strings.Contains(check.Detail, c.detail) || !strings.Contains(check.Advice, c.advice) {
			t.Errorf("%v: exit code %d, %+v", c.err, code, check)
		}
	}
}

func TestDoctorShowsWhatTheDaemonFoundOut(t *testing.T) {
	d := startDaemon(t)
	d.doctor = func() (any, error) { return aReport, nil }
	r := runWith(t, atHome(t, ""), "", "doctor", "-e", d.endpoint())
	if r.stdout != aReportShown || r.stderr != "" || r.code != exitFailed {
		t.Errorf("exit code %d, stderr %q, stdout\n%s\nwant\n%s", r.code, r.stderr, r.stdout, aReportShown)
	}
	connected := aReport
	connected.Connected, connected.Summary = 1, "Connected to 1 peer."
	d.doctor = func() (any, error) { return connected, nil }
	runWith(t, atHome(t, ""), "", "doctor", "-e", d.endpoint()).want(t, exitDone, "\n\nConnected to 1 peer.\n", "")
}

func TestDoctorJSONIsTheWholeReportInOneLine(t *testing.T) {
	d := startDaemon(t)
	d.doctor = func() (any, error) { return aReport, nil }
	r := runWith(t, atHome(t, ""), "", "doctor", "--json", "-e", d.endpoint())
	var back doctor.Report
	decodeLine(t, r.stdout, &back)
	if !reflect.DeepEqual(back, aReport) || strings.Count(r.stdout, "\n") != 1 || strings.ContainsRune(r.stdout, '\x1b') || r.code != exitFailed {
		t.Errorf("exit code %d, %s", r.code, r.stdout)
	}
}

func TestDoctorWithoutADaemonLooksByItself(t *testing.T) {
	endpoint, seed := nobodyThere(t), nobodyThere(t)
	env := atHome(t, "[net]\nactive_profiles = [\"tcp\"]\nseeds = [\""+seed+"\"]\n[net.profiles.tcp]\n")
	r := runWith(t, env, "", "doctor", "-e", endpoint)
	r.want(t, exitUnreachable, "dchatd_config.toml: valid\n", "")
	for _, want := range []string{
		"!!  daemon            " + endpoint + ": no daemon answers there (connect: connection refused)\n                        Start it with `dchatd`",
		"    seed              " + seed + "\n!!    connect         refused: nothing listens there",
		"\n\nNo daemon answers there (connect: connection refused). And it would not get connected: seed " + seed + ": refused: nothing listens there.\n",
	} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("stdout is\n%s\nwant %q in it", r.stdout, want)
		}
	}
	if r.stderr != "" {
		t.Errorf("stderr is %q", r.stderr)
	}
}

func TestDoctorNamesEveryFaultOfTheConfiguration(t *testing.T) {
	env := atHome(t, "[net]\ninboud = []\noutbound_connections = -1\n")
	r := runWith(t, env, "", "doctor", "-e", nobodyThere(t))
	r.want(t, exitUnreachable, "\nThe configuration is not valid: the daemon cannot start with it.\n", "")
	for _, want := range []string{"dchatd_config.toml:2: net.inboud: unknown key", "dchatd_config.toml:3: net.outbound_connections = -1", "!!  daemon "} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("stdout is\n%s\nwant %q in it", r.stdout, want)
		}
	}
	missing := filepath.Join(t.TempDir(), "missing.toml")
	runWith(t, env, "", "doctor", "--config", missing, "-e", nobodyThere(t)).want(t, exitUnreachable, missing+": there is no such file", "")
}

func TestDoctorOfAnotherDaemonThanTheFaultyFileIsFor(t *testing.T) {
	d := startDaemon(t)
	d.doctor = func() (any, error) { return aReport, nil }
	missing := filepath.Join(t.TempDir(), "missing.toml")
	runWith(t, atHome(t, ""), "", "doctor", "--config", missing, "-e", d.endpoint()).want(t, exitFailed,
		" !  configuration     "+missing+": not valid; what follows is of the daemon at "+strings.TrimSuffix(d.endpoint(), "/")+", whatever that runs on\n"+
			"                        See `dchatd config check --config "+missing+"`.\nok  configuration ", "")
}

func TestDoctorAsksWhereTheConfigurationSays(t *testing.T) {
	d := startDaemon(t)
	d.doctor = func() (any, error) { return aReport, nil }
	env := atHome(t, "[rpc]\nrpc_listen = \""+d.endpoint()+"\"\n")
	r := runWith(t, env, "", "doctor")
	at := strings.TrimSuffix(d.endpoint(), "/")
	r.want(t, exitFailed, "ok  daemon            it runs and answers\n !  daemon            "+at+": other commands look for it at tcp://127.0.0.1:51054\n"+
		"                        Set DCHAT_ENDPOINT="+at+", or give --endpoint each time.\n", "")
	t.Run("unless told otherwise", func(t *testing.T) {
		nowhere := nobodyThere(t)
		runWith(t, env, "", "doctor", "-e", nowhere).want(t, exitUnreachable, nowhere+": no daemon answers there", "")
		runWith(t, append(env, "DCHAT_ENDPOINT="+nowhere), "", "doctor").want(t, exitUnreachable, nowhere+": no daemon answers there", "")
	})
}

func TestDoctorOfADaemonThatKnowsNone(t *testing.T) {
	d := startDaemon(t)
	d.doctor = func() (any, error) {
		return nil, &jsonrpc.Error{Code: jsonrpc.CodeMethodNotFound, Message: "method not found"}
	}
	runWith(t, atHome(t, ""), "", "doctor", "-e", d.endpoint()).want(t, exitFailed, "!!  daemon            "+strings.TrimSuffix(d.endpoint(), "/")+": the daemon at "+
		strings.TrimSuffix(d.endpoint(), "/")+" does not know this command", "")
}

func TestDoctorCanBeInterrupted(t *testing.T) {
	d := startDaemon(t)
	asked := make(chan struct{})
	d.doctor = func() (any, error) {
		close(asked)
		<-t.Context().Done()
		return nil, context.Canceled
	}
	p := start(t, "doctor", "-e", d.endpoint())
	<-asked
	p.End()
	p.WantExit(exitFailed)
	p.Stderr.WaitFor(t, "interrupted before the daemon")
}
