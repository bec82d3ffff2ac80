//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"github.com/memsup/memsup/internal/service"
)

// nobody runs a command as a user without any right.
func nobody(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return try(t, "setpriv", append([]string{"--reuid=65534", "--regid=65534", "--clear-groups"}, args...)...)
}

func TestWhoMayDoWhat(t *testing.T) {
	n := startNode(t, "owned", "pricing", limits256)
	startMemsupd(t, services(adopt(n)))
	pid := supervised(t, n).MainPID
	for _, via := range [][]string{
		{"http://127.0.0.1:3007"},
		{"--unix-socket", socket, "http://localhost"},
	} {
		curl := func(last string, more ...string) []string {
			args := append([]string{"curl", "-s", "-w", "%{http_code}", "-o", "/dev/null"}, more...)
			args = append(args, via[:len(via)-1]...)
			return append(args, via[len(via)-1]+last)
		}
		if out, err := nobody(t, curl("/metrics/owned")...); out != "200" {
			t.Errorf("nobody reads over %v: %s, %v", via, out, err)
		}
		if out, err := nobody(t, curl("/restart/owned", "-X", "POST")...); out != "403" {
			t.Errorf("nobody restarts over %v: %s, %v", via, out, err)
		}
	}
	if out, err := nobody(t, "memsupctl", "restart", "owned"); err == nil || !strings.Contains(out, "sudo") {
		t.Errorf("memsupctl as nobody: %v\n%s", err, out)
	}
	if st := status(t, "owned"); st.MainPID != pid || st.Restarts.Total != 0 {
		t.Errorf("it was restarted: %+v", st.Restarts)
	}
	// The kernel says who owns the client's end of the connection: root may.
	if out := run(t, "curl", "-s", "-X", "POST", "http://localhost:3007/restart/owned"); !strings.Contains(out, `"outcome":"succeeded"`) {
		t.Errorf("root over TCP: %s", out)
	}
	waitStatus(t, "owned", "is another process", func(s service.Status) bool { return s.MainPID != pid && s.Phase == service.Running })
	if out := run(t, "curl", "-s", "http://localhost:3007/metrics/nobody-knows"); !strings.Contains(out, `"status":404`) {
		t.Errorf("unknown service: %s", out)
	}
}

func TestSocketActivation(t *testing.T) {
	n := startNode(t, "activated", "pricing", limits256)
	startMemsupd(t, services(adopt(n)))
	run(t, "systemctl", "stop", "memsupd", "memsupd.socket")
	run(t, "systemctl", "start", "memsupd.socket")
	if out, _ := try(t, "systemctl", "is-active", "memsupd"); strings.TrimSpace(out) == "active" {
		t.Fatal("memsupd runs before anybody asked")
	}
	if out := run(t, "curl", "-s", "http://localhost:3007/health"); !strings.Contains(out, `"status"`) {
		t.Errorf("/health: %s", out)
	}
	supervised(t, n)
	if out := run(t, "memsupctl", "status"); !strings.Contains(out, "activated") {
		t.Errorf("memsupctl status:\n%s", out)
	}
}

// TestWatchdog stops memsupd in its tracks: systemd kills it and starts another,
// and the service does not notice.
func TestWatchdog(t *testing.T) {
	n := startNode(t, "watched", "pricing", limits256)
	startMemsupd(t, services(adopt(n)))
	pid := supervised(t, n).MainPID
	main := func() string {
		return strings.TrimSpace(run(t, "systemctl", "show", "memsupd", "--value", "--property", "MainPID"))
	}
	hung := main()
	run(t, "kill", "-STOP", hung)
	eventually(t, "another memsupd", func() (string, bool) {
		out := run(t, "systemctl", "show", "memsupd", "--value", "--property", "ActiveState,MainPID,NRestarts")
		return out, main() != hung && main() != "0" && strings.Contains(out, "active\n")
	})
	if got := supervised(t, n).MainPID; got != pid {
		t.Errorf("main pid %d became %d", pid, got)
	}
}

// TestHostThatWillNotDo runs memsupd where cgroup v2 is not mounted: one clear
// message, and EX_CONFIG.
func TestHostThatWillNotDo(t *testing.T) {
	begin(t)
	write(t, "/etc/memsupd/memsupd.yaml", "services: {}\n")
	out, err := try(t, "systemd-run", "--wait", "--pipe", "--quiet", "-p", "TemporaryFileSystem=/sys/fs/cgroup", "/usr/sbin/memsupd")
	if code := exitCode(err); code != 78 {
		t.Errorf("exit code %d, want 78", code)
	}
	if strings.Count(strings.TrimSpace(out), "\n") != 0 || !strings.Contains(out, "cgroup v2") || !strings.Contains(out, "systemd.unified_cgroup_hierarchy=1") {
		t.Errorf("it says\n%s", out)
	}
}
