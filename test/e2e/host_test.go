//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// patience bounds every wait for something that ought to happen. It is generous:
// an emulated host is ten times slower than a real one, and a test that waits for
// an event ends with the event.
const patience = 90 * time.Second

// home is the directory that the tests run in: bin, units, testdata and contrib.
var home string

func TestMain(m *testing.M) {
	if err := prepare(); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// prepare installs what every test uses, as the README says to.
func prepare() (err error) {
	if home, err = os.Getwd(); err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("these tests supervise real services: run them as root, on a host that is meant for it (make e2e)")
	}
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err != nil {
		return fmt.Errorf("cgroup v2 is not mounted: run the tests in the guest (make e2e): %w", err)
	}
	for _, cmd := range [][]string{
		{"install", "-Dm755", "bin/memsupd", "/usr/sbin/memsupd"},
		{"install", "-Dm755", "bin/memsupctl", "/usr/bin/memsupctl"},
		{"cp", "-r", "units/.", "/etc/systemd/system/"},
		{"mkdir", "-p", "/etc/memsupd", "/opt/walmart"},
		{"cp", "-r", "testdata/services", "/opt/walmart/"},
		{"systemctl", "daemon-reload"},
	} {
		if out, err := exec.Command(cmd[0], cmd[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", strings.Join(cmd, " "), err, out)
		}
	}
	return nil
}

// run runs a command, which must succeed, and returns what it printed.
func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := try(t, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

func try(t testing.TB, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second // what it started may hold on to its output
	err := cmd.Run()
	return out.String(), err
}

// exitCode returns the code that a command ended with, 0 for none and -1 when it did
// not end by itself.
func exitCode(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	if err != nil {
		return -1
	}
	return 0
}

// eventually waits until ok reports true, and fails with what was seen last.
func eventually(t testing.TB, what string, ok func() (seen string, done bool)) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		seen, done := ok()
		if done {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v; last seen: %s", what, patience, seen)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// journal returns what the journal has of a unit since the test's own beginning.
func journal(t testing.TB, unit string) string {
	t.Helper()
	return run(t, "journalctl", "--no-pager", "-o", "cat", "--since", started[t.Name()], "-u", unit)
}

// started is when each test began, in the journal's words.
var started = map[string]string{}

func begin(t testing.TB) {
	if started[t.Name()] != "" {
		return
	}
	started[t.Name()] = time.Now().Format("2006-01-02 15:04:05.000000")
}
