package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// exitInfrastructure is the exit code when the guest, not the command, failed:
// no image, no boot, a timeout, no result.
const exitInfrastructure = 125

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM, unix.SIGHUP)
	code := 0
	err := rootCommand(&code).ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "guest: %v\n", err)
		code = exitInfrastructure
	}
	os.Exit(code)
}

// rootCommand builds the command line; code receives what the guest's command
// exited with.
func rootCommand(code *int) *cobra.Command {
	root := &cobra.Command{
		Use:           "guest",
		Short:         "Run a command on a real cgroup v2 host: a Debian guest in QEMU",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(imageCommand(), runCommand(code), shellCommand(code))
	return root
}

func imageCommand() *cobra.Command {
	var suite string
	cmd := &cobra.Command{
		Use:   "image",
		Short: "Build the image if it is not cached yet, and print where it is",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			img, err := openImage(cmd.Context(), suite, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			defer img.Close() //nolint:errcheck // opened for the lock
			fmt.Fprintln(cmd.OutOrStdout(), img.dir)
			return nil
		},
	}
	addSuite(cmd, &suite)
	return cmd
}

func runCommand(code *int) *cobra.Command {
	opt := options{}
	cmd := &cobra.Command{
		Use:   "run [flags] -- COMMAND [ARG...]",
		Short: "Boot, run a command as root, bring back its output, files and exit code",
		Long: "Boots a guest, unpacks what --in names into the command's working directory\n" +
			"($GUEST_IN) and runs the command as root once multi-user.target is up. What it\n" +
			"leaves in $GUEST_OUT comes back into --out.\n\n" +
			"Exits with the command's exit code; 125 means that the guest itself failed.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			opt.argv = args
			exit, err := run(cmd.Context(), opt, cmd.OutOrStdout(), cmd.ErrOrStderr())
			*code = exit
			return err
		},
	}
	addSuite(cmd, &opt.suite)
	addMachine(cmd, &opt)
	flags := cmd.Flags()
	flags.StringVar(&opt.out, "out", "", "directory for the files left in $GUEST_OUT")
	flags.DurationVar(&opt.timeout, "timeout", 10*time.Minute, "wall-clock limit of boot and command together")
	flags.BoolVar(&opt.icount, "icount", false, "tie guest time to executed instructions: slow, deterministic, one CPU")
	return cmd
}

func shellCommand(code *int) *cobra.Command {
	opt := options{argv: []string{"/bin/bash", "--login"}, shell: true}
	cmd := &cobra.Command{
		Use:   "shell",
		Short: "Boot a guest with a root shell on this terminal (Ctrl-] ends it)",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			exit, err := run(cmd.Context(), opt, cmd.OutOrStdout(), cmd.ErrOrStderr())
			if errors.Is(err, errLeft) {
				err = nil
			}
			*code = exit
			return err
		},
	}
	addSuite(cmd, &opt.suite)
	addMachine(cmd, &opt)
	return cmd
}

// addMachine adds the flags that run and shell share.
func addMachine(cmd *cobra.Command, opt *options) {
	flags := cmd.Flags()
	flags.StringArrayVar(&opt.in, "in", nil, "file or directory to hand in, as PATH or PATH:NAME (may repeat)")
	flags.StringArrayVar(&opt.env, "env", nil, "environment variable NAME=VALUE for the command (may repeat)")
	flags.IntVar(&opt.smp, "smp", 2, "virtual CPUs")
	opt.mem = 2048
	flags.Var(&opt.mem, "mem", "memory, in MiB or with a suffix M or G")
	flags.Var(&opt.swap, "swap", "swap, in MiB or with a suffix M or G")
	flags.Var(&opt.forwards, "forward", "HOST:PORT:GUESTPORT, a host address to reach the guest's loopback port (may repeat)")
	flags.StringVar(&opt.kernelArgs, "append", "", "more kernel command line")
	flags.StringVar(&opt.console, "console", "", "file for the kernel's and systemd's console")
	flags.BoolVarP(&opt.verbose, "verbose", "v", false, "say what is booted and how long it took")
}

func addSuite(cmd *cobra.Command, suite *string) {
	preset := os.Getenv("GUEST")
	if preset == "" {
		preset = suites[0]
	}
	cmd.Flags().StringVar(suite, "suite", preset, "Debian release: trixie or bookworm (preset by $GUEST)")
}
