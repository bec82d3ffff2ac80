//go:build e2e

package e2e

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/memsup/memsup/internal/limit"
	"github.com/memsup/memsup/internal/unit"
)

// These tests hold internal/unit alone against a real manager.

func unitContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func unitConnect(t testing.TB) *unit.Systemd {
	t.Helper()
	s, err := unit.Connect(unitContext(t), unit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// unitFile makes a unit of these lines of its [Service] section.
func unitFile(t testing.TB, name, settings string) {
	t.Helper()
	path := "/etc/systemd/system/" + name
	write(t, path, "[Service]\n"+settings+"\n")
	run(t, "systemctl", "daemon-reload")
	t.Cleanup(func() {
		_, _ = try(t, "systemctl", "stop", name)
		_, _ = try(t, "systemctl", "reset-failed", name)
		for _, p := range []string{path, path + ".d"} {
			if err := os.RemoveAll(p); err != nil {
				t.Error(err)
			}
		}
		run(t, "systemctl", "daemon-reload")
	})
}

func unitState(t testing.TB, s *unit.Systemd, name string) unit.State {
	t.Helper()
	st, err := s.State(unitContext(t), name)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func unitKernel(t testing.TB, st unit.State, file string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("/sys/fs/cgroup", st.Cgroup, file))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// unitNext waits for the change that is asked for.
func unitNext(t testing.TB, w *unit.Watch, want func(unit.Change) bool) unit.Change {
	t.Helper()
	ctx := unitContext(t)
	for {
		c, err := w.Next(ctx)
		if err != nil {
			t.Fatalf("no such change: %v", err)
		}
		if want(c) {
			return c
		}
	}
}

// unitUntil follows a unit until its state is as asked for.
func unitUntil(t testing.TB, s *unit.Systemd, w *unit.Watch, name string, want func(unit.State) bool) unit.State {
	t.Helper()
	var st unit.State
	unitNext(t, w, func(c unit.Change) bool {
		if !slices.Contains(c.Units, name) || !c.Connected {
			return false
		}
		// An answer that is late comes with no change of its own: ask again.
		eventually(t, "systemd answers", func() (string, bool) {
			var err error
			if st, err = s.State(unitContext(t), name); err != nil && !errors.Is(err, unit.ErrDisconnected) {
				t.Fatal(err)
			}
			return errorText(err), err == nil
		})
		return want(st)
	})
	return st
}

func unitWatch(t testing.TB, s *unit.Systemd, names ...string) *unit.Watch {
	t.Helper()
	w, err := s.Watch(names...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func TestUnitAdoptedThroughItsRestarts(t *testing.T) {
	const name = "e2e-unit-adopt.service"
	unitFile(t, name, "ExecStart=/bin/sleep infinity\nMemoryMax=100M\nMemoryHigh=infinity\nMemorySwapMax=0")
	s := unitConnect(t)
	w := unitWatch(t, s, name)
	if v := strings.Fields(run(t, "systemctl", "--version")); !strings.HasPrefix(s.Version(), v[1]) {
		t.Errorf("version %q, systemctl says %v", s.Version(), v)
	}
	if st := unitState(t, s, name); st.LoadState != "loaded" || st.ActiveState != "inactive" || st.Cgroup != "" {
		t.Errorf("before the start: %+v", st)
	}
	run(t, "systemctl", "start", name)
	first := unitUntil(t, s, w, name, func(st unit.State) bool { return st.Running() && st.MainPID != 0 })
	if first.Cgroup != "/system.slice/"+name || len(first.InvocationID) != 32 || first.ActiveEnter.IsZero() {
		t.Errorf("running: %+v", first)
	}
	if want := (limit.Set{Max: limit.Bytes(100 << 20), High: limit.Max, Low: limit.Bytes(0), Min: limit.Bytes(0), SwapMax: limit.Bytes(0)}); first.Limits != want {
		t.Errorf("limits %+v, want %+v", first.Limits, want)
	}
	run(t, "systemctl", "restart", name)
	second := unitUntil(t, s, w, name, func(st unit.State) bool { return st.Running() && st.InvocationID != first.InvocationID })
	if second.MainPID == first.MainPID {
		t.Errorf("restarted, and the main process is still %d", first.MainPID)
	}
	job, err := s.Restart(unitContext(t), name)
	if err != nil || job.Result != "done" || job.Inferred {
		t.Fatalf("restart: %+v, %v", job, err)
	}
	if third := unitState(t, s, name); !third.Running() || third.InvocationID == second.InvocationID || third.Job != 0 {
		t.Errorf("after a job that is done: %+v", third)
	}
	run(t, "systemctl", "kill", "-s", "KILL", name)
	if st := unitUntil(t, s, w, name, func(st unit.State) bool { return st.ActiveState == "failed" }); st.Result != "signal" || st.ExecMainStatus != 9 || st.Cgroup != "" {
		t.Errorf("killed: %+v", st)
	}
}

func TestUnitThatIsNotThere(t *testing.T) {
	const masked, absent, marker = "e2e-unit-masked.service", "e2e-unit-absent.service", "e2e-unit-marker.service"
	unitFile(t, marker, "ExecStart=/bin/sleep infinity")
	s := unitConnect(t)
	run(t, "systemctl", "mask", "--runtime", masked)
	t.Cleanup(func() { run(t, "systemctl", "unmask", "--runtime", masked) })
	w := unitWatch(t, s, masked, absent, marker)
	for name, want := range map[string]struct {
		state string
		err   error
	}{masked: {"masked", unit.ErrMasked}, absent: {"not-found", unit.ErrNotFound}} {
		if st := unitState(t, s, name); st.LoadState != want.state || st.ActiveState != "inactive" {
			t.Errorf("%s: %+v", name, st)
		}
		if _, err := s.Start(unitContext(t), name); !errors.Is(err, want.err) {
			t.Errorf("start of %s: %v", name, err)
		}
	}
	// Reading what is not loaded must not announce a change, or whoever reads at
	// every change would never come to rest.
	unitState(t, s, marker)
	w.Take()
	for range 20 {
		unitState(t, s, masked)
		unitState(t, s, absent)
	}
	run(t, "systemctl", "start", marker)
	unitNext(t, w, func(c unit.Change) bool {
		if slices.Contains(c.Units, masked) || slices.Contains(c.Units, absent) {
			t.Errorf("reading announced a change: %v", c.Units)
		}
		return slices.Contains(c.Units, marker)
	})
	// And when it appears, that is seen.
	unitFile(t, absent, "ExecStart=/bin/sleep infinity")
	run(t, "systemctl", "start", absent)
	unitUntil(t, s, w, absent, unit.State.Running)
}

func TestUnitJobsThatFail(t *testing.T) {
	const name = "e2e-unit-fails.service"
	unitFile(t, name, "Type=oneshot\nExecStart=/bin/false")
	s := unitConnect(t)
	_, err := s.Start(unitContext(t), name)
	var job *unit.JobError
	if !errors.As(err, &job) || job.Job.Result != "failed" {
		t.Errorf("start: %v", err)
	}
	if st := unitState(t, s, name); st.ActiveState != "failed" || st.Result != "exit-code" {
		t.Errorf("after it: %+v", st)
	}
}

func TestUnitLaunched(t *testing.T) {
	const name = "e2e-unit-launched.service"
	s := unitConnect(t)
	t.Cleanup(func() {
		_, _ = try(t, "systemctl", "stop", name)
		_, _ = try(t, "systemctl", "reset-failed", name)
	})
	adj := 100
	spec := unit.Spec{
		Name: name, Exec: []string{"/bin/sh", "-c", "exec sleep infinity", "$HOME", "%i"}, Env: []string{"GREETING=hello world"},
		WorkingDir: "/tmp", User: "nobody", OOMScoreAdj: &adj,
		Limits: limit.Set{Max: limit.Bytes(64 << 20), High: limit.Bytes(48 << 20), Low: limit.Bytes(8 << 20), SwapMax: limit.Bytes(0)},
	}
	if _, err := s.Launch(unitContext(t), spec); err != nil {
		t.Fatal(err)
	}
	st := unitState(t, s, name)
	if !st.Running() || !st.Transient || st.Cgroup != "/memsup.slice/"+name {
		t.Fatalf("launched: %+v", st)
	}
	for file, want := range map[string]string{"memory.max": "67108864", "memory.high": "50331648", "memory.low": "8388608", "memory.swap.max": "0"} {
		if got := unitKernel(t, st, file); got != want {
			t.Errorf("%s = %s, want %s", file, got, want)
		}
	}
	proc := filepath.Join("/proc", itoa(st.MainPID))
	if env, err := os.ReadFile(proc + "/environ"); err != nil || !strings.Contains("\x00"+string(env), "\x00GREETING=hello world\x00") {
		t.Errorf("environment %q, %v", env, err)
	}
	if got, err := os.ReadFile(proc + "/oom_score_adj"); err != nil || strings.TrimSpace(string(got)) != "100" {
		t.Errorf("oom_score_adj %q, %v", got, err)
	}
	if _, err := s.Launch(unitContext(t), spec); !errors.Is(err, unit.ErrExists) {
		t.Errorf("launched twice: %v", err)
	}
	if err := s.SetLimits(unitContext(t), name, limit.Set{Max: limit.Bytes(80 << 20)}, true); err != nil {
		t.Fatal(err)
	}
	if got := unitKernel(t, st, "memory.max"); got != "83886080" {
		t.Errorf("after SetLimits memory.max = %s", got)
	}
	if _, err := s.Stop(unitContext(t), name); err != nil {
		t.Errorf("stop: %v", err)
	}

	spec.Exec = []string{"/nonexistent/program"}
	var job *unit.JobError
	if _, err := s.Launch(unitContext(t), spec); err == nil {
		t.Error("a program that does not exist was launched")
	} else if errors.As(err, &job) {
		if err := s.ResetFailed(unitContext(t), name); err != nil {
			t.Errorf("reset: %v", err)
		}
	}
	spec.Exec = []string{"/bin/sleep", "infinity"}
	if _, err := s.Launch(unitContext(t), spec); err != nil {
		t.Errorf("the name is not free again: %v", err)
	}
}

func TestUnitDropInReachesTheKernel(t *testing.T) {
	const name = "e2e-unit-dropin.service"
	unitFile(t, name, "ExecStart=/bin/sleep infinity\nMemoryMax=100M")
	s := unitConnect(t)
	if _, err := s.Start(unitContext(t), name); err != nil {
		t.Fatal(err)
	}
	w := unitWatch(t, s, name)
	w.Take()
	for _, mib := range []string{"150", "160", "140"} {
		write(t, "/etc/systemd/system/"+name+".d/override.conf", "[Service]\nMemoryMax="+mib+"M\n")
		run(t, "systemctl", "daemon-reload")
		unitNext(t, w, func(c unit.Change) bool { return c.Reloaded && slices.Contains(c.Units, name) })
		st := unitState(t, s, name)
		if st.Limits.Max.String() != mib+"M" {
			t.Fatalf("the manager believes in %v, want %sM", st.Limits.Max, mib)
		}
		t.Logf("%s: after the reload memory.max = %s", mib, unitKernel(t, st, "memory.max"))
		if err := s.Reapply(unitContext(t), name); err != nil {
			t.Fatal(err)
		}
		got, err := limit.ParseKernel([]byte(unitKernel(t, st, "memory.max")))
		if err != nil || got != st.Limits.Max {
			t.Errorf("after Reapply memory.max = %v, %v; want %v", got, err, st.Limits.Max)
		}
		if st := unitState(t, s, name); len(st.DropInPaths) != 1 || st.NeedDaemonReload {
			t.Errorf("Reapply left a trace: %v, reload needed: %v", st.DropInPaths, st.NeedDaemonReload)
		}
	}
}

func TestUnitBusRestarts(t *testing.T) {
	const name = "e2e-unit-bus.service"
	unitFile(t, name, "ExecStart=/bin/sleep infinity\nExecStop=/bin/sleep 4")
	s := unitConnect(t)
	w := unitWatch(t, s, name)
	if _, err := s.Start(unitContext(t), name); err != nil {
		t.Fatal(err)
	}
	before := unitState(t, s, name)

	type end struct {
		job unit.Job
		err error
	}
	ended := make(chan end, 1)
	go func() {
		job, err := s.Restart(unitContext(t), name)
		ended <- end{job, err}
	}()
	unitUntil(t, s, w, name, func(st unit.State) bool { return st.ActiveState == "deactivating" })
	run(t, "systemctl", "restart", "dbus") // in the middle of the job
	got := <-ended
	if got.err != nil || got.job.Result != "done" {
		t.Errorf("job across the restart of the bus: %+v, %v", got.job, got.err)
	}
	t.Logf("the job ended as %+v", got.job)
	if st := unitState(t, s, name); !st.Running() || st.InvocationID == before.InvocationID {
		t.Errorf("after it: %+v", st)
	}

	// Gone altogether: the manager's own socket serves.
	run(t, "systemctl", "stop", "dbus.socket", "dbus.service")
	t.Cleanup(func() { run(t, "systemctl", "start", "dbus.socket", "dbus.service") })
	unitUntil(t, s, w, name, unit.State.Running)
	w.Take()
	run(t, "systemctl", "kill", "-s", "KILL", name)
	unitUntil(t, s, w, name, func(st unit.State) bool { return st.ActiveState == "failed" })
	if job, err := s.Start(unitContext(t), name); err != nil || job.Inferred {
		t.Errorf("start without a bus: %+v, %v", job, err)
	}
	unitDropReload(t, s, w, name)

	run(t, "systemctl", "start", "dbus.socket", "dbus.service")
	run(t, "systemctl", "daemon-reexec") // takes the direct connection away
	unitDropReload(t, s, w, name)
	if st := unitState(t, s, name); !st.Running() {
		t.Errorf("after systemd executed itself anew: %+v", st)
	}
}

func unitDropReload(t testing.TB, s *unit.Systemd, w *unit.Watch, name string) {
	t.Helper()
	eventually(t, "systemd reached", func() (string, bool) {
		_, err := s.State(unitContext(t), name)
		return errorText(err), err == nil
	})
	w.Take()
	run(t, "systemctl", "daemon-reload")
	unitNext(t, w, func(c unit.Change) bool { return c.Reloaded })
}

func errorText(err error) string {
	if err == nil {
		return "no error"
	}
	return err.Error()
}
