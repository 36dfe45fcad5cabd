package client

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dchat/app/doctor"
	"dchat/chat/jsonrpc"
	"dchat/modules/settingsfx"
	"dchat/p2p/addr"
)

func (c *cli) doctorCommand(env []string) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say why I am not connected, and what to do about it",
		Long: fmt.Sprintf(`Doctor looks for what keeps the daemon from being connected, stage by stage: its
configuration, whether it runs, the addresses it listens at, each seed and each
configured peer (route, name, proxy, connection, TLS, version, addresses it tells),
its slots, its external addresses, and the clock. What is wrong comes with what to do
about it. Where the daemon goes through a proxy, so does this: nothing is looked up
or connected to in another way.

The daemon itself does the looking, as it would connect: that takes up to %v. When it
does not run, doctor reads its configuration and looks around by itself; flags that
the daemon would have been given it does not know.

In front of each line: ok, ! for what may not be meant, !! for what is wrong, -- for
what there is nothing to say about. The daemon is asked at --endpoint, else at the
rpc_listen of the configuration.

Exit codes: 0 connected to somebody, 1 to nobody, 2 wrong usage, 3 the daemon is not
reachable.`, doctor.Longest),
		Example: "  dchat doctor\n  dchat doctor --config ~/second.toml\n  dchat doctor --json | jq '.checks[] | select(.status == \"fail\")'",
		Args:    noArgs,
	}
	cmd.Flags().StringP("config", "c", "", "the daemon's configuration `FILE` (default: dchatd_config.toml in ~/.config/darkfi)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "the whole report as one object")
	cmd.RunE = c.run(func(ctx context.Context, _ []string) error { return c.doctor(ctx, cmd.Flags(), env, asJSON) })
	return cmd
}

// doctor has the daemon examined, and prints the report.
func (c *cli) doctor(ctx context.Context, flags *pflag.FlagSet, env []string, asJSON bool) error {
	loaded, fault := settingsfx.Load(settingsfx.Source{Flags: flags, Env: env, ReadOnly: true})
	endpoint, err := parseEndpoint(c.endpoint)
	if err != nil {
		return err
	}
	asked := endpoint
	named := flags.Changed("endpoint") || fromEnv(env, endpointEnv) != ""
	if listen, ok := answersAt(loaded); ok && !named {
		asked = listen
	}
	report, unreachable := c.examine(ctx, asked, loaded, fault)
	if interrupted(ctx, unreachable) {
		return unreachable
	}
	if unreachable == nil && asked != endpoint {
		at := slices.IndexFunc(report.Checks, func(check doctor.Check) bool { return check.Stage == doctor.StageDaemon }) + 1
		report.Checks = slices.Insert(report.Checks, at, doctor.Check{
			Stage: doctor.StageDaemon, Target: peerName(asked), Status: doctor.Warn,
			Detail: "other commands look for it at " + peerName(endpoint),
			Advice: "Set " + endpointEnv + "=" + peerName(asked) + ", or give --endpoint each time.",
		})
	}
	if file := flags.Lookup("config"); unreachable == nil && fault != nil && file.Changed {
		report.Checks = slices.Insert(report.Checks, 0, doctor.Check{
			Stage: doctor.StageConfiguration, Target: file.Value.String(), Status: doctor.Warn,
			Detail: "not valid; what follows is of the daemon at " + peerName(asked) + ", whatever that runs on",
			Advice: "See `dchatd config check --config " + file.Value.String() + "`.",
		})
	}
	if err := c.printReport(report, asJSON); err != nil {
		return err
	}
	if unreachable == nil && report.Connected == 0 {
		unreachable = errors.New("not connected")
	}
	if unreachable != nil {
		return reported{unreachable}
	}
	return nil
}

// answersAt is where the daemon of a configuration answers, if that is known.
func answersAt(loaded *settingsfx.Loaded) (addr.Addr, bool) {
	if loaded == nil {
		return addr.Addr{}, false
	}
	port, hasPort := loaded.RPC.Listen.Port()
	return loaded.RPC.Listen, !hasPort || port != 0
}

// examine lets the daemon examine itself. When it does not, the error says why, and
// the report is of an examination from outside.
func (c *cli) examine(ctx context.Context, endpoint addr.Addr, loaded *settingsfx.Loaded, fault error) (report doctor.Report, unreachable error) {
	d := &daemon{endpoint: endpoint}
	defer d.close()
	c.progress("asking the daemon at %s, which asks its seeds and peers: up to %v…", peerName(endpoint), doctor.Longest)
	unreachable = d.call(ctx, doctor.Method, nil, &report)
	if unreachable == nil || ctx.Err() != nil {
		return report, unreachable
	}
	patient := doctor.Patient{
		Fault:  fault,
		Daemon: silent(endpoint, unreachable),
		Asking: func(a addr.Addr) { c.progress("asking %s…", peerName(a)) },
	}
	if loaded != nil {
		patient.File, patient.Warnings, patient.Settings = loaded.File, loaded.Warnings, loaded.P2P
	}
	return doctor.Examine(ctx, patient), unanswered(unreachable)
}

// silent says why the daemon did not examine itself.
func silent(endpoint addr.Addr, why error) doctor.Check {
	check := doctor.Check{Target: peerName(endpoint), Detail: why.Error()}
	switch {
	case errors.Is(why, jsonrpc.ErrUnreachable): // which may be for want of time too
		check.Detail = fmt.Sprintf("no daemon answers there (%s)", dialReason(why))
		check.Advice = "Start it with `dchatd`, or name another with --endpoint."
	case errors.Is(why, context.DeadlineExceeded):
		check.Detail = fmt.Sprintf("it takes connections and does not answer within %v", answerTime)
		check.Advice = "It hangs, or was suspended: look at its log, and start it again."
	}
	return check
}

// progress says on a terminal what takes its time.
func (c *cli) progress(format string, args ...any) {
	if _, ok := asTerminal(c.stderr); ok {
		fmt.Fprintf(c.stderr, format+"\n", args...)
	}
}
