package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// serial is what a QEMU's two serial ports are connected to.
type serial struct {
	stdin   io.Reader // nil: nothing
	stdout  io.Writer
	console io.Writer // also gets QEMU's own complaints
}

// boot runs QEMU until the guest powers off or ctx ends; then it is killed,
// and so it is when this process dies, however it dies. It returns ctx's cause
// or why QEMU failed.
func boot(ctx context.Context, m machine, ports serial) error {
	read, write, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("boot: %w", err)
	}
	defer read.Close()  //nolint:errcheck // all was read, or nobody asks
	defer write.Close() //nolint:errcheck // QEMU has its own

	cmd := exec.CommandContext(ctx, emulator(), m.argv()...)
	cmd.Stdout, cmd.Stderr = onlyWriter{ports.stdout}, ports.console
	cmd.ExtraFiles = []*os.File{write} // descriptor consoleFD
	// A group of its own: the terminal's Ctrl-C is ours to handle.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = 5 * time.Second
	var stdin io.WriteCloser
	if ports.stdin != nil {
		if stdin, err = cmd.StdinPipe(); err != nil {
			return fmt.Errorf("boot: %w", err)
		}
	}

	// Pdeathsig means the death of the starting thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return fmt.Errorf("boot: %w: run scripts/setup", err)
		}
		return fmt.Errorf("boot: %w", err)
	}
	_ = write.Close() // the reader ends when QEMU, now the only owner, does
	copied := make(chan error, 1)
	go func() {
		_, err := io.Copy(ports.console, read)
		copied <- err
	}()
	if stdin != nil {
		// Ends with its reader; a terminal's read cannot be interrupted.
		go io.Copy(stdin, ports.stdin) //nolint:errcheck // QEMU's end is seen by Wait
	}

	err = cmd.Wait()
	copyErr := <-copied
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("qemu: %w", err)
	case copyErr != nil:
		return fmt.Errorf("read console: %w", copyErr)
	}
	return nil
}

// onlyWriter hides that a writer is a file, so that os/exec puts a pipe in
// between: QEMU makes its output non-blocking, for all who share it.
type onlyWriter struct{ io.Writer }
