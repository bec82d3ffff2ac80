//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/memsup/memsup/internal/limit"
	"github.com/memsup/memsup/internal/service"
)

const (
	boxUnit   = "e2e-box.service"
	boxCgroup = "/sys/fs/cgroup/system.slice/" + boxUnit
	boxConfig = "/etc/memsupd/box.yaml"
)

// hidden is a host where systemd is nowhere to be seen, as in a container.
var hidden = []string{"-p", "TemporaryFileSystem=/run/systemd", "-p", "InaccessiblePaths=-/run/dbus"}

// boxed is a service that memsupd is to run by itself.
func boxed(t *testing.T) *node {
	t.Helper()
	nextPort++
	return &node{t: t, name: "boxed", unit: "memsup-boxed.service", port: nextPort}
}

// launched is the configuration of n; more are lines of its launch.
func launched(n *node, maximum string, more ...string) string {
	return fmt.Sprintf(`  %s:
    driver: cgroupfs
    mode: launch
    interval: 1s
    limits: {max: %s, swapMax: 0}
    launch:
      exec: [/usr/bin/node, /opt/walmart/services/api-server.js]
      environment: {PORT: "%d", TROUBLE: "1", STILL: "1"}
      stopTimeout: 30s
%s`, n.name, maximum, n.port, strings.Join(more, ""))
}

// startBox runs memsupd in a delegated cgroup without systemd, by a shell that
// starts it again when it ends.
func startBox(t *testing.T, config string) {
	t.Helper()
	begin(t)
	write(t, boxConfig, "stateDir: /var/lib/memsupd-box\n"+config)
	args := append([]string{"--unit=" + boxUnit, "-p", "Delegate=yes", "-p", "KillMode=process"}, hidden...)
	args = append(args, "/bin/sh", "-c", "while :; do /usr/sbin/memsupd --config "+boxConfig+"; sleep 1; done")
	run(t, "systemd-run", args...)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the log:\n%s", journal(t, boxUnit))
		}
		if err := os.WriteFile(boxCgroup+"/cgroup.kill", []byte("1"), 0); err != nil {
			t.Error(err)
		}
		_, _ = try(t, "systemctl", "stop", boxUnit)
		_, _ = try(t, "systemctl", "reset-failed", boxUnit)
		forgetBoxed(t)
	})
	answers(t, "")
}

// forgetBoxed removes what outlives memsupd.
func forgetBoxed(t *testing.T) {
	t.Helper()
	for _, p := range []string{"/run/memsupd/cgroupfs", "/var/lib/memsupd-box", boxConfig} {
		if err := os.RemoveAll(p); err != nil {
			t.Error(err)
		}
	}
}

// answers waits until a memsupd other than pid old answers, and returns its pid.
func answers(t *testing.T, old string) (pid string) {
	t.Helper()
	eventually(t, "memsupd answers", func() (string, bool) {
		out, err := try(t, "pidof", "memsupd")
		if pid = strings.TrimSpace(out); err != nil || pid == old {
			return out, false
		}
		resp, err := api.Get("http://localhost/health")
		if err != nil {
			return err.Error(), false
		}
		return resp.Status, resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
	})
	return pid
}

// killBoxed kills memsupd, and waits for the next one.
func killBoxed(t *testing.T) {
	t.Helper()
	pid := strings.TrimSpace(run(t, "pidof", "memsupd"))
	run(t, "kill", "-9", pid)
	answers(t, pid)
}

func boxFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(boxCgroup, name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// starts counts how often the service began to serve.
func (n *node) starts(unit string) int {
	return strings.Count(journal(n.t, unit), "listening on 127.0.0.1:"+strconv.Itoa(n.port))
}

func TestCgroupfsWithoutSystemd(t *testing.T) {
	n := boxed(t)
	startBox(t, services(launched(n, "256M")))
	first := supervised(t, n)
	n.waitReady()
	var h service.Health
	ask(t, http.MethodGet, "/health", &h)
	for _, s := range h.Subsystems {
		if s.Name == "systemd" {
			t.Fatalf("memsupd knows of systemd: %+v", h)
		}
	}
	if want := boxCgroup + "/" + n.unit; "/sys/fs/cgroup"+first.Cgroup != want {
		t.Errorf("it runs in %s, want %s", first.Cgroup, want)
	}
	for file, want := range map[string]string{"memory.max": "268435456", "memory.swap.max": "0", "memory.high": "max"} {
		if got := boxFile(t, n.unit+"/"+file); got != want {
			t.Errorf("%s is %s, want %s", file, got, want)
		}
	}

	inFlight := n.slow(20e9)
	n.trouble("leak=buffer:8M/s&leak_max=226M")
	st := restarts(t, n.name, 1)
	if err := <-inFlight; err != nil {
		t.Errorf("the request in flight was dropped: %v", err)
	}
	if st.MainPID == first.MainPID || st.Phase != service.Running {
		t.Errorf("after the restart: %+v", st)
	}
	if log := journal(t, boxUnit); !strings.Contains(log, "SIGTERM received") {
		t.Errorf("the service saw no SIGTERM:\n%s", log)
	}
	if events := boxFile(t, "memory.events"); !strings.Contains(events, "oom_kill 0") {
		t.Errorf("an OOM kill: %s", events)
	}
	t.Logf("restarted because %s; it took %v", st.Restarts.Last.Reason, st.Restarts.Last.Took)

	n.waitReady()
	killBoxed(t)
	again := supervised(t, n)
	if again.MainPID != st.MainPID || again.Restarts.Total != 1 || n.starts(boxUnit) != 2 {
		t.Errorf("main pid %d became %d, %d restarts, started %d times", st.MainPID, again.MainPID, again.Restarts.Total, n.starts(boxUnit))
	}
}

func TestCgroupfsRestartOutlivesTheDaemon(t *testing.T) {
	n := boxed(t)
	startBox(t, services(launched(n, "256M")))
	first := supervised(t, n)
	n.waitReady()
	inFlight := n.slow(12e9)
	ctl := exec.Command("memsupctl", "restart", n.name)
	if err := ctl.Start(); err != nil {
		t.Fatal(err)
	}
	waitStatus(t, n.name, "is stopping", func(s service.Status) bool {
		return s.Action != nil && s.MainPID == first.MainPID && s.Phase != service.Running
	})
	killBoxed(t)
	_ = ctl.Wait() // it lost its memsupd
	if err := <-inFlight; err != nil {
		t.Errorf("the request in flight was dropped: %v", err)
	}
	st := restarts(t, n.name, 1)
	n.waitReady()
	if st.MainPID == first.MainPID || st.Restarts.Total != 1 || n.starts(boxUnit) != 2 {
		t.Errorf("main pid %d, before %d; %d restarts, started %d times", st.MainPID, first.MainPID, st.Restarts.Total, n.starts(boxUnit))
	}
}

func TestCgroupfsStartsAgainWhatFails(t *testing.T) {
	n := boxed(t)
	startBox(t, services(launched(n, "256M")))
	pid := supervised(t, n).MainPID
	run(t, "kill", "-SEGV", strconv.Itoa(pid))
	st := waitStatus(t, n.name, "is back", func(s service.Status) bool { return s.Phase == service.Running && s.MainPID != pid && s.Sample != nil })
	if st.Restarts.Total != 0 {
		t.Errorf("counted as memsupd's own decision: %+v", st.Restarts)
	}
	run(t, "kill", strconv.Itoa(st.MainPID)) // a person's word: it stays down
	waitStatus(t, n.name, "is stopped", func(s service.Status) bool { return s.Phase == service.Stopped })
	run(t, "memsupctl", "restart", n.name)
	supervised(t, n)
}

func TestCgroupfsReload(t *testing.T) {
	n := boxed(t)
	startBox(t, services(launched(n, "256M")))
	pid := supervised(t, n).MainPID
	other := boxed(t)
	other.name, other.unit = "second", "memsup-second.service"
	write(t, boxConfig, "stateDir: /var/lib/memsupd-box\n"+services(launched(n, "300M"), launched(other, "200M")))
	run(t, "kill", "-HUP", strings.TrimSpace(run(t, "pidof", "memsupd")))
	st := waitStatus(t, n.name, "has its new limit", func(s service.Status) bool { return s.Limits.Max == limit.Bytes(300<<20) })
	if got := boxFile(t, n.unit+"/memory.max"); got != "314572800" || st.MainPID != pid {
		t.Errorf("memory.max is %s; main pid %d, before %d", got, st.MainPID, pid)
	}
	waitHas(t, other.name)
	supervised(t, other)

	// Systemd is not here: a service of its is refused, and all stays as it was.
	write(t, boxConfig, services(launched(n, "400M"), "  lost: {unit: lost.service}\n"))
	run(t, "kill", "-HUP", strings.TrimSpace(run(t, "pidof", "memsupd")))
	eventually(t, "the reload is refused", func() (string, bool) {
		log := journal(t, boxUnit)
		return log, strings.Contains(log, "reload refused") && strings.Contains(log, "service lost: driver systemd")
	})
	if st := status(t, n.name); st.Limits.Max != limit.Bytes(300<<20) || st.MainPID != pid {
		t.Errorf("the refused configuration holds: %+v", st)
	}
}

func TestCgroupfsUnfitHosts(t *testing.T) {
	begin(t)
	n := boxed(t)
	t.Cleanup(func() { forgetBoxed(t) })
	for name, tc := range map[string]struct {
		config string
		args   []string
		want   []string
	}{
		"not delegated": {services(launched(n, "256M")), nil, []string{"service boxed", "Delegate=memory pids", "KillMode=process"}},
		"no systemd":    {services("  lost: {unit: lost.service}\n"), hidden, []string{"service lost: driver systemd", "/run/systemd/system", "driver: cgroupfs"}},
	} {
		write(t, boxConfig, "stateDir: /var/lib/memsupd-box\n"+tc.config)
		args := append([]string{"--wait", "--pipe", "--quiet", "--collect"}, tc.args...)
		out, err := try(t, "systemd-run", append(args, "/usr/sbin/memsupd", "--config", boxConfig)...)
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 78 {
			t.Errorf("%s: %v, want 78", name, err)
		}
		for _, w := range tc.want {
			if !strings.Contains(out, w) {
				t.Errorf("%s: no %q in %s", name, w, out)
			}
		}
	}
}

// TestCgroupfsBesideSystemd has services of both drivers under memsupd's own unit.
func TestCgroupfsBesideSystemd(t *testing.T) {
	if systemdVersion(t) < 254 {
		t.Skip("DelegateSubgroup= needs systemd 254: before, a unit with processes below its cgroup cannot be started again")
	}
	const dir = "/etc/systemd/system/memsupd.service.d"
	run(t, "install", "-Dm644", filepath.Join(home, "contrib/cgroupfs.conf"), dir+"/cgroupfs.conf")
	run(t, "systemctl", "daemon-reload")
	n := boxed(t)
	t.Cleanup(func() { // after memsupd was stopped
		run(t, "sh", "-c", "for k in /sys/fs/cgroup/system.slice/memsupd.service/*.service/cgroup.kill; do [ ! -e $k ] || echo 1 >$k; done")
		forgetBoxed(t)
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
		run(t, "systemctl", "daemon-reload")
	})
	adopted := startNode(t, "beside", "pricing", limits256)
	startMemsupd(t, services(adopt(adopted)))
	supervised(t, adopted)
	configure(t, services(adopt(adopted), launched(n, "256M", "      user: nobody\n")))
	run(t, "systemctl", "reload", "memsupd")
	waitHas(t, n.name)
	before := supervised(t, n)
	n.waitReady()
	run(t, "systemctl", "restart", "memsupd")
	waitHas(t, n.name)
	if uid := run(t, "stat", "-c", "%U", "/proc/"+itoa(before.MainPID)); strings.TrimSpace(uid) != "nobody" {
		t.Errorf("it runs as %s", uid)
	}
	if after := supervised(t, n); after.MainPID != before.MainPID {
		t.Errorf("main pid %d became %d with a restart of memsupd", before.MainPID, after.MainPID)
	}
	run(t, "memsupctl", "restart", n.name)
	restarts(t, n.name, 1)
}

// waitHas waits until a service is known to memsupd.
func waitHas(t *testing.T, name string) {
	t.Helper()
	eventually(t, name+" is known", func() (string, bool) {
		code := ask(t, http.MethodGet, "/metrics/"+name, nil)
		return strconv.Itoa(code), code == http.StatusOK
	})
}

func systemdVersion(t *testing.T) int {
	t.Helper()
	var v int
	if _, err := fmt.Sscanf(run(t, "systemctl", "--version"), "systemd %d", &v); err != nil {
		t.Fatal(err)
	}
	return v
}
