//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/memsup/memsup/internal/limit"
	"github.com/memsup/memsup/internal/service"
)

// five are the services of units/ with the limits that they are to have, in MiB.
var five = []struct {
	name              string
	port              int
	max, high, marked uint64 // memory.max, memory.high, the critical mark
	low, swap         uint64
}{
	{"cache-warmer", 8081, 256, 200, 218, 100, 64},
	{"pricing", 8082, 512, 400, 435, 200, 128},
	{"nlp-queue", 8083, 384, 300, 326, 150, 96},
	{"api-server", 8084, 1024, 800, 870, 400, 256},
	{"websocket", 8085, 512, 400, 435, 200, 128},
}

// shell runs one command line as a person types it.
func shell(t *testing.T, line string) string {
	t.Helper()
	t.Logf("$ %s", line)
	out, err := try(t, "bash", "-o", "pipefail", "-c", line)
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return out
}

// startFive deploys the five services as the README's reader does, with memsupd
// beside them. trouble is the one that may be told to misbehave.
func startFive(t *testing.T, trouble string, config ...string) {
	t.Helper()
	write(t, "/etc/default/walmart-"+trouble, "TROUBLE=1\n")
	// Root needs no sudo, and the guest has none; its commands are typed all the same.
	write(t, "/usr/local/bin/sudo", "#!/bin/sh\nexec \"$@\"\n")
	run(t, "chmod", "+x", "/usr/local/bin/sudo")
	t.Cleanup(func() {
		for _, s := range five {
			_, _ = try(t, "systemctl", "disable", "--now", "walmart-"+s.name)
			_, _ = try(t, "systemctl", "revert", "walmart-"+s.name)
			_, _ = try(t, "systemctl", "reset-failed", "walmart-"+s.name)
		}
		for _, p := range []string{"/etc/default/walmart-" + trouble, "/usr/local/bin/sudo"} {
			if err := os.Remove(p); err != nil {
				t.Error(err)
			}
		}
	})
	shell(t, "sudo cp units/*.service /etc/systemd/system/")
	shell(t, "sudo systemctl daemon-reload")
	for _, s := range five {
		shell(t, "sudo systemctl enable walmart-"+s.name)
	}
	shell(t, "sudo systemctl start walmart-api-server")
	var of []string
	for _, s := range five {
		lines := fmt.Sprintf("  %s:\n    unit: walmart-%s.service\n    interval: 1s\n", s.name, s.name)
		if s.name == trouble {
			for _, c := range config {
				lines += "    " + c + "\n"
			}
		}
		of = append(of, lines)
	}
	startMemsupd(t, services(of...))
}

// TestFiveServicesAsInTheSourceDocument types the commands of the document that
// memsup's names, limits and endpoints come from: deployment, monitoring and
// troubleshooting. What they are to show is checked.
func TestFiveServicesAsInTheSourceDocument(t *testing.T) {
	startFive(t, "pricing", "restartOnCritical: false")
	since := started[t.Name()]
	t.Run("starting one brings up the others, with their limits", func(t *testing.T) {
		for _, s := range five {
			st := waitStatus(t, s.name, "is supervised", func(st service.Status) bool { return st.Phase == service.Running && st.Sample != nil })
			for file, want := range map[string]uint64{
				"memory.max": s.max, "memory.high": s.high, "memory.low": s.low, "memory.swap.max": s.swap,
			} {
				b, err := os.ReadFile(filepath.Join("/sys/fs/cgroup", st.Cgroup, file))
				if err != nil || strings.TrimSpace(string(b)) != fmt.Sprint(want<<20) {
					t.Errorf("%s: %s is %q (%v), want %d MiB", s.name, file, b, err, want)
				}
			}
			if w, _ := st.Marks.Critical.Bytes(); w>>20 < s.marked-1 || w>>20 > s.marked {
				t.Errorf("%s: critical at %d MiB, want %d", s.name, w>>20, s.marked)
			}
			// The document rounds: 78 % of 1 GiB is 798.7 MiB.
			if w, _ := st.Marks.Warning.Bytes(); w>>20 < s.high-2 || w>>20 > s.high {
				t.Errorf("%s: warning at %d MiB, want MemoryHigh, %d", s.name, w>>20, s.high)
			}
		}
		out := shell(t, "journalctl --no-pager -o cat -u memsupd MEMSUP_NOTE=trouble --since '"+since+"'")
		if strings.TrimSpace(out) != "" {
			t.Errorf("memsupd had trouble: %s", out)
		}
		up := func(name string) int {
			at := run(t, "systemctl", "show", "walmart-"+name, "--property=ActiveEnterTimestampMonotonic", "--value")
			n, err := strconv.Atoi(strings.TrimSpace(at))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		for _, s := range five {
			if up(s.name) > up("api-server") {
				t.Errorf("the server, which needs %s, was up before it", s.name)
			}
		}
	})
	t.Run("monitor", func(t *testing.T) {
		out := shell(t, "sudo systemctl status walmart-*")
		for _, s := range five {
			if !strings.Contains(out, "walmart-"+s.name+".service") {
				t.Errorf("%s is not among them:\n%s", s.name, out)
			}
		}
		if out := shell(t, "timeout 5 sudo journalctl -u walmart-api-server -f || [ $? = 124 ]"); !strings.Contains(out, "listening on") {
			t.Errorf("the log is\n%s", out)
		}
		if out := shell(t, "sudo systemctl show walmart-api-server --property=MemoryCurrent"); !strings.HasPrefix(out, "MemoryCurrent=") || strings.Contains(out, "not set") {
			t.Error(out)
		}
		if out := shell(t, "curl -s http://localhost:3007/health | jq -r .status"); strings.TrimSpace(out) != "ok" {
			t.Errorf("/health says %s", out)
		}
		if out := shell(t, "curl -s http://localhost:3007/metrics | jq -r '.services[].name'"); len(strings.Fields(out)) != len(five) {
			t.Errorf("/metrics names %q", out)
		}
	})
	t.Run("growth rate", func(t *testing.T) {
		eventually(t, "statistics have a growth rate", func() (string, bool) {
			out := shell(t, "curl -s http://localhost:3007/metrics/api-server | jq .statistics")
			var s struct{ GrowthRate, WorkingSet *float64 }
			if err := json.Unmarshal([]byte(out), &s); err != nil {
				t.Fatal(err)
			}
			return out, s.GrowthRate != nil && s.WorkingSet != nil && *s.WorkingSet > 0
		})
	})
	t.Run("a critical alert", func(t *testing.T) {
		if out := shell(t, `curl -s http://localhost:3007/alerts | jq '.[] | select(.severity == "critical")'`); out != "" {
			t.Errorf("before anything went wrong: %s", out)
		}
		shell(t, "systemctl set-property --runtime walmart-pricing MemoryHigh=infinity MemorySwapMax=0")
		shell(t, "curl -s -X POST 'http://127.0.0.1:8082/trouble?leak=buffer:40M/s&leak_max=430M'")
		eventually(t, "critical", func() (string, bool) {
			out := shell(t, `curl -s http://localhost:3007/alerts | jq -r '.[] | select(.severity == "critical") | .service + " " + .rule'`)
			return out, out == "pricing memory-critical\n"
		})
	})
	t.Run("a crash", func(t *testing.T) {
		shell(t, "curl -s -X POST 'http://127.0.0.1:8082/trouble?leak=buffer:80M/s&leak_max=1G'")
		eventually(t, "the OOM killer", func() (string, bool) {
			out, _ := try(t, "bash", "-c", `dmesg | grep -i "killed process"`)
			return out, strings.Contains(out, "Killed process")
		})
		eventually(t, "both tell of it in the unit's log", func() (string, bool) {
			out := shell(t, `sudo journalctl -u walmart-pricing --since "1 hour ago"`)
			return out, strings.Contains(out, "OOM killer") && strings.Contains(out, "oom-kill: the kernel killed")
		})
	})
	t.Run("adjust the limit", func(t *testing.T) {
		edit(t, "walmart-api-server", "[Service]\nMemoryMax=1500M\n")
		waitStatus(t, "api-server", "has its new limit", func(st service.Status) bool { return st.Limits.Max == limit.Bytes(1500<<20) })
		if out := shell(t, "memsupctl status api-server"); !strings.Contains(out, "1.46 GiB") && !strings.Contains(out, "1500 MiB") && !strings.Contains(out, "1.5 GiB") {
			t.Errorf("memsupctl status says\n%s", out)
		}
	})
}
