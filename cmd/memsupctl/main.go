// Command memsupctl shows what memsupd says about the services of this host, and
// restarts them.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

var version = "unknown" // set by the linker

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is memsupctl: it returns the exit code.
func run(args []string, out, errs io.Writer) int {
	// A wait for a restart can be interrupted; what had begun goes on.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c := &command{out: out, errs: errs, now: time.Now(), terminal: isTerminal(out)}
	c.colour = c.terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return c.run(ctx, args)
}

// isTerminal reports whether w is a terminal (tcgetattr(3) works on nothing else).
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
