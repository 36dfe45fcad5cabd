package main_test

import (
	"strings"
	"testing"

	"dchat/app/client"
	"dchat/cmd/internal/proc"
)

// doctor runs `dchat doctor` with the home of a daemon, and returns its exit code and
// what it printed.
func doctor(t *testing.T, home string, args ...string) (code int, stdout string) {
	t.Helper()
	var out, errs strings.Builder
	code = client.Run(t.Context(), append([]string{"doctor"}, args...), []string{"HOME=" + home}, strings.NewReader(""), &out, &errs)
	if errs.Len() > 0 {
		t.Errorf("on standard error: %s", errs.String())
	}
	return code, out.String()
}

func wantParts(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is missing in\n%s", part, text)
		}
	}
}

func TestDoctorOfADaemonWithAWrongSeed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ env, want string }{
		"other application": {"DCHAT_NET__APP_NAME=darkirc", "the seed runs darkirc 0.4.1, you run dchatd 0.4.1"},
		"other version":     {"DCHAT_NET__APP_VERSION=0.5.0", "the seed runs dchatd 0.5.0, you run dchatd 0.4.1"},
		"other network":     {"DCHAT_NET__MAGIC_BYTES=01020304", "it is on another network: its magic bytes are [1 2 3 4], yours [217 239 182 125]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seed := setup{env: []string{c.env}}.start(t)
			address := strings.TrimSuffix(seed.addr().String(), "/")
			d := setup{args: []string{"--localnet", "--seeds", address}}.start(t)
			code, report := doctor(t, d.Home, "-e", d.RPC.String())
			if code != 1 {
				t.Errorf("exit code %d", code)
			}
			wantParts(t, report, "ok  daemon ", "    seed              "+address+"\nok    connect ", "!!    version         "+c.want, "!!  connections       nobody is connected",
				"\n\nNot connected: seed "+address+": "+c.want+".\n")
		})
	}
}

func TestDoctorOfADaemonWhoseSeedIsDown(t *testing.T) {
	t.Parallel()
	address := strings.TrimSuffix(proc.FreeAddress(t), "/")
	d := setup{args: []string{"--seeds", address}}.start(t)
	code, report := doctor(t, d.Home, "-e", d.RPC.String())
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	wantParts(t, report, "!!    connect         refused: nothing listens there", "\n\nNot connected: seed "+address+": refused: nothing listens there.\n")
}

func TestDoctorOfAConnectedDaemon(t *testing.T) {
	t.Parallel()
	seed := setup{args: []string{"--localnet"}}.start(t)
	peer := setup{}.start(t)
	address := strings.TrimSuffix(peer.addr().String(), "/")
	d := setup{args: []string{"--localnet", "--peers", address, "--seeds", seed.addr().String()}}.start(t)
	d.peers(1, proc.Patience)
	code, report := doctor(t, d.Home, "-e", d.RPC.String())
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	wantParts(t, report, " !    addresses       it knows nobody but you", "ok  listening         "+strings.TrimSuffix(d.addr().String(), "/")+": it listens", "ok  peer              "+address+": connected for ", "ok  clock             right", "\n\nConnected to ")
	for name, other := range map[string]*daemon{"seed": seed, "peer": peer} {
		if log := other.Stderr(); strings.Contains(log, "broke the protocol") || strings.Contains(log, "anned") {
			t.Errorf("the %s took offence:\n%s", name, log)
		}
	}
	t.Run("whose file was changed", func(t *testing.T) {
		proc.WriteFile(t, configFile(d.Home), "[net]\noutbound_connections = 3\n")
		_, report := doctor(t, d.Home, "-e", d.RPC.String())
		wantParts(t, report, "changed since the daemon was started: ", "net.outbound_connections")
		proc.WriteFile(t, configFile(d.Home), "[nett]\n")
		_, report = doctor(t, d.Home, "-e", d.RPC.String())
		wantParts(t, report, "unknown table", "the daemon runs on the configuration as it was before")
	})
}

func TestDoctorWithoutADaemon(t *testing.T) {
	t.Parallel()
	seed := setup{}.start(t)
	address := strings.TrimSuffix(seed.addr().String(), "/")
	home := proc.NewHome(t)
	proc.WriteFile(t, configFile(home), "[rpc]\nrpc_listen = \"unix://"+home+"/none\"\n[net]\nactive_profiles = [\"tcp\"]\nseeds = [\""+address+"\"]\ninbound = [\""+address+"\"]\n[net.profiles.tcp]\n")
	code, report := doctor(t, home)
	if code != 3 {
		t.Errorf("exit code %d", code)
	}
	wantParts(t, report, "dchatd_config.toml: valid", "!!  daemon            unix://"+home+"/none: no daemon answers there (connect: no such file or directory)",
		"!!  listening         "+address+": another program listens there, a node that runs dchatd 0.4.1",
		"it is an address of this node itself")
}
