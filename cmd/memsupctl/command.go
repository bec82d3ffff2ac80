package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/memsup/memsup/internal/client"
)

const about = `memsupctl shows what memsupd says about the memory of this host's services, and
restarts them. Whoever is on the host may read; a restart needs root or the
group memsup.

Exit codes:
  0  it worked
  1  the request failed, or a restart did not succeed
  2  wrong usage
  3  memsupd cannot be reached
  4  unknown service
  5  not allowed
  6  another action is in progress`

// command is one run of memsupctl.
type command struct {
	out, errs io.Writer
	now       time.Time // ages are as of it, and times in its zone
	terminal  bool      // out is one
	colour    bool

	address string
	json    bool
	failure error // of a request; what cobra returns is wrong usage
}

// run carries out the command line and returns the exit code.
func (c *command) run(ctx context.Context, args []string) int {
	out := &output{to: c.out}
	c.out = out
	root := c.root(ctx)
	root.SetArgs(args)
	root.SetOut(c.out)
	root.SetErr(c.errs)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintf(c.errs, "memsupctl: %s\nmemsupctl --help says how it is used.\n", strings.TrimSpace(err.Error()))
		return exitUsage
	}
	if c.failure = errors.Join(c.failure, out.err); c.failure == nil {
		return exitOK
	}
	for i, line := range lines(c.failure.Error()) {
		if i == 0 {
			line = "memsupctl: " + line
		}
		fmt.Fprintln(c.errs, line)
	}
	return exitCode(c.failure)
}

func (c *command) root(ctx context.Context) *cobra.Command {
	root := &cobra.Command{
		Use:               "memsupctl",
		Short:             "memsupctl shows and restarts the services that memsupd supervises",
		Long:              about,
		Version:           version,
		SilenceUsage:      true,
		SilenceErrors:     true,
		DisableAutoGenTag: true,
	}
	flags := root.PersistentFlags()
	flags.BoolVar(&c.json, "json", false, "print memsupd's answer as it is, for jq")
	flags.StringVar(&c.address, "address", cmp.Or(os.Getenv("MEMSUP_ADDRESS"), client.DefaultAddress),
		"the socket of memsupd, or http://HOST:PORT; env MEMSUP_ADDRESS")
	// Scripts that were written for systemctl pass it; there is no pager.
	flags.Bool("no-pager", false, "")
	cobra.CheckErr(flags.MarkHidden("no-pager"))
	root.AddCommand(c.status(ctx), c.restart(ctx), c.alerts(ctx), c.leak(), c.version())
	return root
}

func (c *command) version() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of memsupctl",
		Args:  cobra.NoArgs,
		Run:   func(*cobra.Command, []string) { fmt.Fprintln(c.out, "memsupctl", version) },
	}
}

// request makes the RunE of a command that asks memsupd something. An address that
// is none is wrong usage; everything after that is the request's failure.
func (c *command) request(ctx context.Context, do func(ctx context.Context, memsupd *client.Client, args []string) error) func(*cobra.Command, []string) error {
	return func(_ *cobra.Command, args []string) error {
		memsupd, err := client.New(c.address)
		if err != nil {
			return err
		}
		c.failure = do(ctx, memsupd, args)
		return nil
	}
}
