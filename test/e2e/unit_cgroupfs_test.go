//go:build e2e

package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/memsup/memsup/internal/cgroup"
	"github.com/memsup/memsup/internal/limit"
	"github.com/memsup/memsup/internal/unit"
)

const unitRoot = "/sys/fs/cgroup"

// unitCgroupfs is a driver in a subtree of the test's own, as a container has.
func unitCgroupfs(t *testing.T) unit.CgroupfsOptions {
	t.Helper()
	path := "/e2e-" + strings.ToLower(t.Name())
	if err := os.Mkdir(unitRoot+path, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.WriteFile(unitRoot+path+"/cgroup.kill", []byte("1"), 0); err != nil {
			t.Error(err)
		}
		eventually(t, "subtree removed", func() (string, bool) {
			children, err := filepath.Glob(unitRoot + path + "/*.service")
			for _, c := range children {
				err = errors.Join(err, os.Remove(c))
			}
			err = errors.Join(err, os.Remove(unitRoot+path))
			return errorText(err), err == nil
		})
	})
	tree, err := cgroup.NewSubtree(unitRoot, path)
	if err != nil {
		t.Fatal(err)
	}
	return unit.CgroupfsOptions{
		Tree: tree, Root: unitRoot, Proc: "/proc", Dir: t.TempDir(), Stdout: os.Stdout, Stderr: os.Stderr,
		Environ: []string{"PATH=/usr/bin:/bin", "NOTIFY_SOCKET=/run/daemon", "WATCHDOG_USEC=1", "KEPT=yes"},
	}
}

func unitOpenCgroupfs(t *testing.T, o unit.CgroupfsOptions) *unit.Cgroupfs {
	t.Helper()
	c, bad, err := unit.NewCgroupfs(t.Context(), o)
	if err != nil || len(bad) != 0 {
		t.Fatal(err, bad)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func unitFsState(t *testing.T, c *unit.Cgroupfs, name string) unit.State {
	t.Helper()
	st, err := c.State(unitContext(t), name)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// unitFsUntil follows a service until its state is as asked for.
func unitFsUntil(t *testing.T, c *unit.Cgroupfs, w *unit.Watch, name string, want func(unit.State) bool) (st unit.State) {
	t.Helper()
	unitNext(t, w, func(ch unit.Change) bool {
		st = unitFsState(t, c, name)
		return slices.Contains(ch.Units, name) && want(st)
	})
	return st
}

func unitShell(name, script string) unit.Spec {
	return unit.Spec{Name: name, Exec: []string{"/bin/sh", "-c", script}, StopTimeout: time.Minute}
}

func TestUnitCgroupfsRuns(t *testing.T) {
	const name = "shell.service"
	c := unitOpenCgroupfs(t, unitCgroupfs(t))
	before, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("/proc/self/oom_score_adj", []byte("-500"), 0); err != nil { // as the daemon's is
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.WriteFile("/proc/self/oom_score_adj", before, 0) })
	spec := unitShell(name, "sleep 1000 & exec sleep 1000")
	spec.Limits = limit.Set{Max: limit.Bytes(64 << 20), High: limit.Bytes(48 << 20), SwapMax: limit.Bytes(0)}
	spec.Env, spec.User, spec.WorkingDir = []string{"OWN=1"}, "nobody", "/tmp"
	if _, err := c.Launch(unitContext(t), spec); err != nil {
		t.Fatal(err)
	}
	st := unitFsState(t, c, name)
	if !st.Running() || st.MainPID == 0 || st.Limits != spec.Limits || len(st.InvocationID) != 32 {
		t.Fatalf("launched: %+v", st)
	}
	for file, want := range map[string]string{"memory.max": "67108864", "memory.high": "50331648", "memory.swap.max": "0"} {
		if got := unitKernel(t, st, file); got != want {
			t.Errorf("%s = %s, want %s", file, got, want)
		}
	}
	proc := filepath.Join("/proc", itoa(st.MainPID))
	for file, want := range map[string]string{"cgroup": "0::" + st.Cgroup, "oom_score_adj": "0"} {
		if got, err := os.ReadFile(filepath.Join(proc, file)); err != nil || strings.TrimSpace(string(got)) != want {
			t.Errorf("%s: %q, %v; want %q", file, got, err, want)
		}
	}
	var got []string
	eventually(t, "its own environment", func() (string, bool) { // ours, until its execve(2) has come that far
		env, err := os.ReadFile(proc + "/environ")
		got = strings.Split(strings.TrimRight(string(env), "\x00"), "\x00")
		return string(env), err == nil && slices.Contains(got, "INVOCATION_ID="+st.InvocationID)
	})
	for name, want := range map[string]bool{"OWN=1": true, "KEPT=yes": true, "INVOCATION_ID=" + st.InvocationID: true, "NOTIFY_SOCKET=/run/daemon": false, "WATCHDOG_USEC=1": false} {
		if slices.Contains(got, name) != want {
			t.Errorf("%s in the environment: %v, want %v: %q", name, !want, want, got)
		}
	}
	if _, err := c.Launch(unitContext(t), spec); !errors.Is(err, unit.ErrExists) {
		t.Errorf("launched twice: %v", err)
	}
	if err := c.SetLimits(unitContext(t), name, limit.Set{Max: limit.Bytes(80 << 20)}, true); err != nil {
		t.Fatal(err)
	}
	if got := unitKernel(t, st, "memory.max"); got != "83886080" {
		t.Errorf("after SetLimits memory.max = %s", got)
	}
	if _, err := c.Restart(unitContext(t), name); err != nil {
		t.Fatal(err)
	}
	if again := unitFsState(t, c, name); !again.Running() || again.MainPID == st.MainPID || again.InvocationID == st.InvocationID {
		t.Errorf("restarted: %+v", again)
	}
	if _, err := c.Stop(unitContext(t), name); err != nil {
		t.Fatal(err)
	}
	if st := unitFsState(t, c, name); st.ActiveState != "inactive" || st.Result != "success" || st.MainPID != 0 {
		t.Errorf("stopped: %+v", st)
	}
	if b, err := os.ReadFile(filepath.Join(unitRoot, st.Cgroup, "cgroup.procs")); err != nil || len(b) != 0 {
		t.Errorf("processes left: %q, %v", b, err)
	}
}

func TestUnitCgroupfsEnds(t *testing.T) {
	c := unitOpenCgroupfs(t, unitCgroupfs(t))
	hog := unitShell("hog", "exec tail /dev/zero")
	hog.Limits = limit.Set{Max: limit.Bytes(24 << 20), SwapMax: limit.Bytes(0)}
	for want, spec := range map[string]unit.Spec{
		"oom-kill": hog, "exit-code": unitShell("fails", "exit 3"), "signal": unitShell("dies", "kill -KILL $$"),
	} {
		name := spec.Name + ".service"
		w, err := c.Watch(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Launch(unitContext(t), spec); err != nil {
			t.Fatal(err)
		}
		if st := unitFsUntil(t, c, w, name, func(st unit.State) bool { return st.MainPID == 0 && st.LoadState == "loaded" }); st.ActiveState != "failed" || st.Result != want {
			t.Errorf("%s: %+v, want %s", name, st, want)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
	bad := unitShell("bad", "")
	bad.Exec = []string{"/nonexistent"}
	if _, err := c.Launch(unitContext(t), bad); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a program that does not exist: %v", err)
	}

	// One that does not heed the signal, and leaves others behind.
	deaf := unitShell("deaf", "trap '' TERM; sleep 1000 & touch /tmp/e2e-deaf; while :; do wait; sleep 1; done")
	deaf.StopTimeout = time.Second
	t.Cleanup(func() { _ = os.Remove("/tmp/e2e-deaf") })
	if _, err := c.Launch(unitContext(t), deaf); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is deaf", func() (string, bool) {
		_, err := os.Stat("/tmp/e2e-deaf")
		return errorText(err), err == nil
	})
	if _, err := c.Stop(unitContext(t), "deaf"); err != nil {
		t.Fatal(err)
	}
	if st := unitFsState(t, c, "deaf"); st.ExecMainStatus != 9 || st.ActiveState != "inactive" {
		t.Errorf("deaf: %+v", st)
	}
}

func TestUnitCgroupfsServicesOutliveTheDaemon(t *testing.T) {
	const name = "lasting.service"
	opts := unitCgroupfs(t)
	first := unitOpenCgroupfs(t, opts)
	if _, err := first.Launch(unitContext(t), unitShell(name, "exec sleep 1000")); err != nil {
		t.Fatal(err)
	}
	before := unitFsState(t, first, name)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := unitOpenCgroupfs(t, opts)
	after := unitFsState(t, second, name)
	if !after.Running() || after.MainPID != before.MainPID || after.InvocationID != before.InvocationID || !after.ActiveEnter.Equal(before.ActiveEnter) {
		t.Fatalf("before %+v\nafter %+v", before, after)
	}
	if _, err := second.Launch(unitContext(t), unitShell(name, "exit")); !errors.Is(err, unit.ErrExists) {
		t.Errorf("launched beside itself: %v", err)
	}
	if _, err := second.Restart(unitContext(t), name); err != nil {
		t.Fatal(err)
	}
	if st := unitFsState(t, second, name); !st.Running() || st.MainPID == before.MainPID {
		t.Errorf("restarted by its second daemon: %+v", st)
	}
}
