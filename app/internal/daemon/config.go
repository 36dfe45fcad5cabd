package daemon

import (
	"cmp"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"dchat/modules/settingsfx"
)

// ConfigCommand is the command of a program that looks at its configuration.
func ConfigCommand(program string, stdout, stderr io.Writer, load func(*cobra.Command) (*settingsfx.Report, error)) *cobra.Command {
	config := &cobra.Command{
		Use:   "config",
		Short: "Look at the configuration, without starting anything",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() }, // without it cobra takes any argument
	}
	config.AddCommand(&cobra.Command{
		Use:     "show",
		Short:   "Print every setting in effect and where it comes from",
		Example: "  " + program + " config show\n  " + program + " config show --config ~/second.toml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			report, err := load(cmd)
			if err != nil {
				return err
			}
			return report.Show(stdout)
		},
	}, &cobra.Command{
		Use:     "check",
		Short:   "Say whether the configuration is valid",
		Example: "  " + program + " config check --config ~/second.toml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			report, err := load(cmd)
			if err != nil {
				return err
			}
			for _, warning := range report.Warnings {
				fmt.Fprintf(stderr, "warning: %s\n", warning)
			}
			_, err = fmt.Fprintf(stdout, "%s is valid\n", cmp.Or(report.File, "the configuration that a first run writes"))
			return err
		},
	})
	return config
}
