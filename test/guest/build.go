package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// buildTimeout bounds an image build; a slow mirror takes a few minutes.
const buildTimeout = 20 * time.Minute

// buildImage builds beside dir and renames, so that dir is complete or absent.
// The caller holds the suite's lock.
func buildImage(ctx context.Context, cache, suite, dir string, log io.Writer) error {
	if os.Geteuid() != 0 {
		return errors.New("build image: needs root; run `guest image` once with sudo -E")
	}
	for _, tool := range []string{"mmdebstrap", "mke2fs", "busybox", "cpio"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("build image: %w: run scripts/setup", err)
		}
	}
	source, err := aptSource("/etc", suite)
	if err != nil {
		return fmt.Errorf("build image: %w", err)
	}
	tmp := filepath.Join(cache, suite+".tmp")
	if err := os.RemoveAll(tmp); err != nil { // what an interrupted build left
		return fmt.Errorf("build image: %w", err)
	}
	defer os.RemoveAll(tmp) //nolint:errcheck // the next build starts with it
	out := filepath.Join(tmp, "image")
	if err := os.MkdirAll(out, 0o755); err != nil {
		return fmt.Errorf("build image: %w", err)
	}
	if err := writeRecipe(tmp); err != nil {
		return fmt.Errorf("build image: %w", err)
	}

	fmt.Fprintf(log, "guest: building the %s image, once (about a minute)\n", suite)
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, buildTimeout)
	defer cancel()
	if err := runBuild(ctx, filepath.Join(tmp, "recipe", "build.sh"), suite, out, source); err != nil {
		return fmt.Errorf("build image: %w", err)
	}
	if err := os.Rename(out, dir); err != nil {
		return fmt.Errorf("build image: %w", err)
	}
	fmt.Fprintf(log, "guest: built in %v: %s\n", time.Since(start).Round(time.Second), dir)
	return nil
}

// runBuild runs the recipe in mount and process namespaces of its own: what it
// mounts never shows on the host, where a clean-up would follow it into /sys,
// and when this process dies, all of it dies.
func runBuild(ctx context.Context, script string, args ...string) error {
	command := append([]string{"bash", script}, args...)
	apart := []string{"unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"}
	if exec.CommandContext(ctx, apart[0], append(apart[1:], "true")...).Run() == nil {
		command = append(apart, command...)
	} // else this is a container that may not mount either

	said := newTail(8 << 10)
	build := exec.CommandContext(ctx, command[0], command[1:]...)
	build.Stdout, build.Stderr = said, said
	build.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	build.WaitDelay = 10 * time.Second
	runtime.LockOSThread() // Pdeathsig means the death of the starting thread
	defer runtime.UnlockOSThread()
	if err := build.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("%w\n%s", err, said)
	}
	return nil
}
