//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/memsup/memsup/internal/service"
)

// kill9 kills memsupd and waits until systemd has started it again.
func kill9(t *testing.T) {
	t.Helper()
	pid := strings.TrimSpace(run(t, "systemctl", "show", "memsupd", "--value", "--property", "MainPID"))
	run(t, "kill", "-9", pid)
	eventually(t, "memsupd is back", func() (string, bool) {
		out := run(t, "systemctl", "show", "memsupd", "--property", "MainPID,ActiveState")
		return out, strings.Contains(out, "ActiveState=active") && !strings.Contains(out, "MainPID="+pid+"\n")
	})
}

// lives counts how often a service started since the test began.
func lives(t *testing.T, n *node) int {
	t.Helper()
	return strings.Count(journal(t, n.unit), "listening on")
}

// TestKilledMemsupdForgetsNothingAndDoublesNothing kills memsupd at three points
// of a restart. The restart happens once, is recorded once, and the cool-down
// and the neighbour are untouched.
func TestKilledMemsupdForgetsNothingAndDoublesNothing(t *testing.T) {
	for _, point := range []string{"before", "during", "after"} {
		t.Run(point, func(t *testing.T) {
			begin(t)
			n := startNode(t, "kill-"+point, "api-server", "MemoryMax=256M\nMemorySwapMax=0", "HOLD=30M")
			neighbour := startNode(t, "untouched-"+point, "pricing", limits256)
			startMemsupd(t, services(adopt(n, "restartCooldown: 1h"), adopt(neighbour)))
			supervised(t, n)
			pid := supervised(t, neighbour).MainPID

			// A request in flight keeps the old process in its stop for a while.
			inFlight := n.slow(12 * time.Second)
			n.trouble("leak=buffer:40M/s&leak_max=190M") // with what it holds, over the critical mark and under MemoryMax
			switch point {
			case "before": // as soon as the alert is known, whatever was begun
				waitAlert(t, n.name, service.RuleWarning)
			case "during":
				eventually(t, "it is stopping", func() (string, bool) { s := n.show("ActiveState"); return s, s == "deactivating" })
			case "after":
				restarts(t, n.name, 1)
			}
			kill9(t)
			if err := <-inFlight; err != nil {
				t.Errorf("the request in flight was dropped: %v", err)
			}
			st := restarts(t, n.name, 1)
			quiet(t, 10*time.Second, "no second restart", func() (string, bool) {
				s := status(t, n.name)
				return fmt.Sprintf("%+v", s.Restarts), s.Restarts.Total == 1 && s.Action == nil && s.MainPID == st.MainPID
			})
			if got := lives(t, n); got != 2 {
				t.Errorf("it started %d times, want 2:\n%s", got, journal(t, n.unit))
			}
			if st.Restarts.CooldownUntil == nil || st.Restarts.Used != 1 {
				t.Errorf("cool-down or budget forgotten: %+v", st.Restarts)
			}
			if got := status(t, neighbour.name).MainPID; got != pid {
				t.Errorf("the neighbour's main pid %d became %d", pid, got)
			}
		})
	}
}

func TestUnusableStateFileIsSetAside(t *testing.T) {
	n := startNode(t, "state", "pricing", limits256)
	startMemsupd(t, services(adopt(n)))
	supervised(t, n)
	run(t, "systemctl", "stop", "memsupd")
	write(t, "/var/lib/memsupd/state.json", `{"version": 1, "engine": {"serv`)
	run(t, "systemctl", "start", "memsupd")
	supervised(t, n)
	aside, err := filepath.Glob("/var/lib/memsupd/state.json.unusable-*")
	if err != nil || len(aside) != 1 {
		t.Fatalf("set aside: %v, %v", aside, err)
	}
	if log := journal(t, "memsupd"); !strings.Contains(log, aside[0]) {
		t.Errorf("%s is not named in the log:\n%s", aside[0], log)
	}
}

func TestFullDisk(t *testing.T) {
	begin(t)
	n := startNode(t, "full", "pricing", "MemoryMax=256M\nMemorySwapMax=0")
	run(t, "mkdir", "-p", "/run/small")
	run(t, "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", "/run/small")
	t.Cleanup(func() { run(t, "umount", "-l", "/run/small") })
	startMemsupd(t, "stateDir: /run/small\n"+services(adopt(n)))
	write(t, "/etc/systemd/system/memsupd.service.d/small.conf", "[Service]\nReadWritePaths=/run/small\n")
	t.Cleanup(func() {
		if err := os.RemoveAll("/etc/systemd/system/memsupd.service.d"); err != nil {
			t.Error(err)
		}
		run(t, "systemctl", "daemon-reload")
	})
	run(t, "systemctl", "daemon-reload")
	run(t, "systemctl", "restart", "memsupd")
	supervised(t, n)
	_, _ = try(t, "dd", "if=/dev/zero", "of=/run/small/full", "bs=1k")

	n.trouble("leak=buffer:30M/s&leak_max=226M")
	restarts(t, n.name, 1)
	var h service.Health
	ask(t, "GET", "/health", &h)
	if h.Status != "degraded" {
		t.Errorf("/health says %+v", h)
	}
	run(t, "rm", "/run/small/full")
	eventually(t, "it heals itself", func() (string, bool) {
		ask(t, "GET", "/health", &h)
		return fmt.Sprintf("%+v", h), h.Status == "ok"
	})
}

func TestReloadKeepsTheOldConfigurationWhenTheNewOneIsBad(t *testing.T) {
	n := startNode(t, "reload", "pricing", limits256)
	m := startNode(t, "second", "cache-warmer", limits256)
	startMemsupd(t, services(adopt(n)))
	supervised(t, n)
	configure(t, services(adopt(n, "warningTreshold: 0.5")))
	_, _ = try(t, "systemctl", "reload", "memsupd")
	eventually(t, "the mistake is told with its place", func() (string, bool) {
		log := journal(t, "memsupd")
		return log, strings.Contains(log, "memsupd.yaml:5:5") && strings.Contains(log, "warningThreshold")
	})
	supervised(t, n)
	if out, err := try(t, "memsupd", "--check-config"); err == nil || !strings.Contains(out, "memsupd.yaml:5:5") {
		t.Errorf("--check-config: %v\n%s", err, out)
	}

	configure(t, services(adopt(n, "warningThreshold: 0.5"), adopt(m)))
	run(t, "systemctl", "reload", "memsupd")
	supervised(t, m)
	waitStatus(t, n.name, "has its new mark", func(s service.Status) bool { w, _ := s.Marks.Warning.Bytes(); return w == 128<<20 })
}
