// Command memsupd supervises the memory of services it did not write.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/memsup/memsup/internal/config"
	"github.com/memsup/memsup/internal/daemon"
)

// Exit codes, as in sysexits.h.
const (
	exitFailure = 1
	exitUsage   = 64
	exitConfig  = 78
)

var version = "unknown" // set by the linker

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, out, errs io.Writer) int {
	var path string
	var check bool
	var failed error
	cmd := &cobra.Command{
		Use:           "memsupd",
		Short:         "memsupd supervises the memory of the services of this host",
		Args:          cobra.NoArgs,
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if check {
				failed = checkConfig(out, path)
				return nil
			}
			failed = supervise(cmd.Context(), path)
			return nil
		},
	}
	cmd.SetArgs(args)
	cmd.SetOut(out)
	cmd.SetErr(errs)
	cmd.Flags().StringVar(&path, "config", "/etc/memsupd/memsupd.yaml", "configuration; memsupd.d/*.yaml beside it is read too")
	cmd.Flags().BoolVar(&check, "check-config", false, "check the configuration and exit: 0 when it is good, 78 when not")
	if err := cmd.Execute(); err != nil {
		fmt.Fprintln(errs, "memsupd:", err)
		return exitUsage
	}
	if failed == nil {
		return 0
	}
	fmt.Fprintln(errs, "memsupd:", failed)
	var unfit *daemon.ConfigError
	if errors.As(failed, &unfit) {
		return exitConfig
	}
	return exitFailure
}

func checkConfig(out io.Writer, path string) error {
	cfg, err := config.Load(path)
	if err != nil {
		return &daemon.ConfigError{Cause: err}
	}
	plural := "s"
	if len(cfg.Services) == 1 {
		plural = ""
	}
	fmt.Fprintf(out, "%s is good: %d service%s\n", path, len(cfg.Services), plural)
	return nil
}

func supervise(ctx context.Context, path string) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(reload)
	return daemon.Run(ctx, daemon.Options{Config: path, Version: version}, reload)
}
