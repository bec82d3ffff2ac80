package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// fakeQEMU puts a shell script in QEMU's place.
func fakeQEMU(t *testing.T, script string) {
	t.Helper()
	t.Cleanup(func() { goleak.VerifyNone(t) })
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, emulator()), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func TestBootPorts(t *testing.T) {
	fakeQEMU(t, "echo console >&3; read line; echo \"got $line\"; echo complaint >&2; echo last >&3")
	var out strings.Builder
	console := newTail(1 << 10)
	if err := boot(t.Context(), machine{}, serial{stdin: strings.NewReader("typed\n"), stdout: &out, console: console}); err != nil {
		t.Fatal(err)
	}
	if out.String() != "got typed\n" {
		t.Errorf("output %q", &out)
	}
	for _, want := range []string{"console", "complaint", "last"} {
		if !strings.Contains(console.String(), want) {
			t.Errorf("no %q on the console: %q", want, console)
		}
	}
}

func TestBootFails(t *testing.T) {
	fakeQEMU(t, "echo no such machine >&2; exit 1")
	console := newTail(1 << 10)
	err := boot(t.Context(), machine{}, serial{stdout: &strings.Builder{}, console: console})
	if err == nil || console.String() != "no such machine" {
		t.Errorf("error %v, console %q", err, console)
	}
}

// onWrite calls a function at the first output.
type onWrite func()

func (f onWrite) Write(p []byte) (int, error) {
	f()
	return len(p), nil
}

// A guest that hangs is killed, and the reason comes back.
func TestBootKills(t *testing.T) {
	fakeQEMU(t, "echo up; exec sleep 1000")
	reason := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	err := boot(ctx, machine{}, serial{stdout: onWrite(func() { cancel(reason) }), console: newTail(1)})
	if !errors.Is(err, reason) {
		t.Errorf("error %v, want %v", err, reason)
	}
}

func TestBootWithoutQEMU(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := boot(t.Context(), machine{}, serial{stdout: &strings.Builder{}, console: newTail(1)})
	if err == nil || !strings.Contains(err.Error(), "scripts/setup") {
		t.Errorf("error %v does not say how to mend it", err)
	}
}
