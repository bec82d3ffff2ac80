//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/memsup/memsup/internal/limit"
	"github.com/memsup/memsup/internal/service"
)

const limits256 = "MemoryMax=256M\nMemoryHigh=200M\nMemoryLow=64M\nMemorySwapMax=0\nRestart=on-failure\nRestartSec=1"

func TestLaunchWithLimits(t *testing.T) {
	startMemsupd(t, `
services:
  warmer:
    mode: launch
    unit: memsup-warmer.service
    interval: 1s
    limits: {max: 256M, high: 200M, low: 64M, swapMax: 0}
    launch:
      exec: [/usr/bin/node, /opt/walmart/services/cache-warmer.js, $HOME, "%n"]
      environment: {PORT: "18099", STILL: "1"}
`)
	t.Cleanup(func() { run(t, "systemctl", "stop", "memsup-warmer.service") })
	st := waitStatus(t, "warmer", "runs", func(s service.Status) bool { return s.Phase == service.Running && s.Sample != nil })
	dir := "/sys/fs/cgroup/memsup.slice/memsup-warmer.service"
	if filepath.Join("/sys/fs/cgroup", st.Cgroup) != dir {
		t.Errorf("it runs in %s", st.Cgroup)
	}
	for file, want := range map[string]string{
		"memory.max": "268435456", "memory.high": "209715200", "memory.low": "67108864", "memory.swap.max": "0",
	} {
		b, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil || strings.TrimSpace(string(b)) != want {
			t.Errorf("%s is %q (%v), want %s", file, b, err, want)
		}
	}
	if st.Limits.Max != limit.Bytes(256<<20) || st.Limits.SwapMax != limit.Bytes(0) {
		t.Errorf("memsupd says %+v", st.Limits)
	}

	// Arguments are the user's own: nothing of a shell or of systemd's is read in them.
	cmdline, err := os.ReadFile("/proc/" + itoa(st.MainPID) + "/cmdline")
	if err != nil || !strings.HasSuffix(string(cmdline), "\x00$HOME\x00%n\x00") {
		t.Errorf("it runs as %q, %v", cmdline, err)
	}

	// memsupd goes, the service stays; memsupd comes back to it.
	pid := st.MainPID
	run(t, "systemctl", "restart", "memsupd")
	st = waitStatus(t, "warmer", "is supervised again", func(s service.Status) bool { return s.Phase == service.Running && s.Sample != nil })
	if st.MainPID != pid {
		t.Errorf("main pid %d became %d with a restart of memsupd", pid, st.MainPID)
	}
}

// TestLaunchedServiceTakesItsNewSettings: a reload that changes what memsupd launches
// leaves the running service alone; its next restart brings the new settings.
func TestLaunchedServiceTakesItsNewSettings(t *testing.T) {
	config := func(port, most string) string {
		return `
services:
  changed:
    mode: launch
    interval: 1s
    limits: {max: ` + most + `}
    launch:
      exec: [/usr/bin/node, /opt/walmart/services/pricing.js]
      environment: {PORT: "` + port + `", STILL: "1"}
`
	}
	startMemsupd(t, config("18097", "256M"))
	t.Cleanup(func() { run(t, "systemctl", "stop", "memsup-changed.service") })
	running := func(s service.Status) bool { return s.Phase == service.Running && s.Sample != nil }
	pid := waitStatus(t, "changed", "runs", running).MainPID

	configure(t, config("18098", "300M"))
	run(t, "systemctl", "reload", "memsupd")
	quiet(t, 3*time.Second, "a reload leaves it alone", func() (string, bool) {
		s := status(t, "changed")
		return itoa(s.MainPID), s.MainPID == pid
	})
	run(t, "memsupctl", "restart", "changed")
	st := waitStatus(t, "changed", "is launched anew", func(s service.Status) bool { return running(s) && s.MainPID != pid })
	if st.Limits.Max != limit.Bytes(300<<20) {
		t.Errorf("limits: %+v", st.Limits)
	}
	eventually(t, "it serves where it is told to now", func() (string, bool) {
		body, err := get("http://127.0.0.1:18098/healthz")
		return fmt.Sprint(body, err), err == nil
	})
}

func TestAdoptAndSurviveTheUnitsRestart(t *testing.T) {
	n := startNode(t, "adopted", "pricing", limits256)
	startMemsupd(t, services(adopt(n)))
	before := supervised(t, n)
	run(t, "systemctl", "restart", n.unit)
	after := waitStatus(t, n.name, "is followed into its next life", func(s service.Status) bool {
		return s.Phase == service.Running && s.MainPID != before.MainPID && s.Sample != nil && s.SampledAt.After(before.SampledAt)
	})
	if after.Restarts.Total != 0 {
		t.Errorf("a person's restart was counted as memsupd's: %+v", after.Restarts)
	}
	run(t, "systemctl", "stop", n.unit)
	waitStatus(t, n.name, "is seen to be stopped", func(s service.Status) bool { return s.Phase == service.Stopped })
	run(t, "systemctl", "start", n.unit)
	supervised(t, n)
}

func TestUnitsThatAreNotThereYet(t *testing.T) {
	begin(t)
	good := startNode(t, "good", "pricing", limits256)
	masked := newNode(t, "masked", "pricing", limits256)
	late := &node{t: t, name: "late", unit: "e2e-late.service"}
	run(t, "rm", "/etc/systemd/system/"+masked.unit)
	run(t, "systemctl", "mask", "--runtime", masked.unit)
	t.Cleanup(func() { run(t, "systemctl", "unmask", "--runtime", masked.unit) })
	startMemsupd(t, services(adopt(good), adopt(masked), adopt(late)))
	supervised(t, good)
	waitStatus(t, "late", "is absent", func(s service.Status) bool { return s.Phase == service.Absent })
	waitStatus(t, "masked", "is masked", func(s service.Status) bool { return s.Phase == service.Masked })

	startNode(t, "late", "pricing", limits256)
	waitStatus(t, "late", "is adopted", func(s service.Status) bool { return s.Phase == service.Running && s.Sample != nil })
}

// edit is systemctl edit, with an editor that types for us, on a terminal, which it
// insists on.
func edit(t *testing.T, unit, text string) {
	t.Helper()
	write(t, "/run/text", text)
	write(t, "/run/editor", "#!/bin/sh\nfor file; do :; done\nexec sed -i -e '/^### Anything between/,/^### [A-Z][a-z]* below/{/^###/!d}' -e '/^### Anything between/r /run/text' \"$file\"\n")
	run(t, "chmod", "+x", "/run/editor")
	run(t, "env", "SYSTEMD_EDITOR=/run/editor", "script", "-qec", "systemctl edit "+unit, "/dev/null")
}

func TestDropInMovesTheMarks(t *testing.T) {
	n := startNode(t, "dropin", "pricing", limits256)
	startMemsupd(t, services(adopt(n)))
	st := supervised(t, n)
	pid := st.MainPID

	// As in "Adjust memory limits if needed", with an editor that types for us.
	edit(t, n.unit, "[Service]\nMemoryMax=1500M\n")
	waitStatus(t, n.name, "has new marks", func(s service.Status) bool {
		w, _ := s.Marks.Warning.Bytes()
		return s.Limits.Max == limit.Bytes(1500<<20) && w == 1226833920
	})
	if got := n.kernel("memory.max"); got != "1572864000" {
		t.Errorf("the kernel has %s", got)
	}
	if n.show("MainPID") != itoa(pid) {
		t.Error("the service was restarted")
	}

	// A second edit, so that nothing of the first one's application shadows it.
	edit(t, n.unit, "[Service]\nMemoryMax=300M\n")
	waitStatus(t, n.name, "follows the second edit", func(s service.Status) bool { return s.Limits.Max == limit.Bytes(300<<20) })
	eventually(t, "the kernel has it", func() (string, bool) { got := n.kernel("memory.max"); return got, got == "314572800" })

	run(t, "systemctl", "revert", n.unit)
	waitStatus(t, n.name, "follows the revert", func(s service.Status) bool { return s.Limits.Max == limit.Bytes(256<<20) })
}

func TestCrossingMemoryHighRaisesTheAlert(t *testing.T) {
	n := startNode(t, "high", "pricing", limits256)
	calm := startNode(t, "calm", "cache-warmer", limits256)
	startMemsupd(t, services(adopt(n, "interval: 60s", "restartOnCritical: false"), adopt(calm)))
	supervised(t, n)
	supervised(t, calm)
	wake := watchHigh(t, n, 0)
	n.trouble("leak=buffer:20M/s&leak_max=205M")
	a := waitAlert(t, n.name, service.RuleWarning)
	if a.Severity != service.Warning {
		t.Errorf("severity %s", a.Severity)
	}
	// The schedule is a minute away: only the kernel's event can have told. Our own
	// watch of the same file says when the kernel spoke first.
	crossed := <-wake
	if a.LatencyNs == 0 {
		t.Errorf("not raised by an event: %+v", a)
	}
	t.Logf("LATENCY first kernel event to alert %.1f ms; memsupd's own wake-up to its decision %.2f ms",
		float64(a.Since.Boot-crossed)/1e6, float64(a.LatencyNs)/1e6)
	if len(status(t, calm.name).Alerts) != 0 {
		t.Error("the neighbour has alerts")
	}
	// Held at MemoryHigh it would take its whole stop timeout to end.
	run(t, "systemctl", "kill", "--signal=KILL", n.unit)
}

func TestCriticalLeadsToAGracefulRestart(t *testing.T) {
	n := startNode(t, "leaky", "api-server", "MemoryMax=256M\nMemorySwapMax=0")
	innocent := startNode(t, "innocent", "pricing", limits256)
	startMemsupd(t, services(adopt(n), adopt(innocent)))
	before := supervised(t, n)
	neighbour := supervised(t, innocent)
	killed := kills(t)

	inFlight := n.slow(20 * time.Second)
	n.trouble("leak=buffer:8M/s&leak_max=226M")
	st := restarts(t, n.name, 1)
	if err := <-inFlight; err != nil {
		t.Errorf("the request in flight was dropped: %v", err)
	}
	if st.MainPID == before.MainPID || st.Phase != service.Running {
		t.Errorf("after the restart: %+v", st)
	}
	if log := journal(t, n.unit); !strings.Contains(log, "SIGTERM received") {
		t.Errorf("the service saw no SIGTERM:\n%s", log)
	}
	if got := kills(t); got != killed {
		t.Errorf("%d OOM kills", got-killed)
	}
	if got := status(t, innocent.name); got.MainPID != neighbour.MainPID || got.Restarts.Total != 0 || len(got.Alerts) != 0 {
		t.Errorf("the neighbour was touched: %+v", got)
	}
	t.Logf("restarted %s because %s; it took %v", n.name, st.Restarts.Last.Reason, st.Restarts.Last.Took.Round(time.Millisecond))
}

func TestCooldownAndMaxRestartsHold(t *testing.T) {
	n := startNode(t, "hog", "pricing", "MemoryMax=256M\nMemorySwapMax=0", "HOLD=180M")
	startMemsupd(t, services(adopt(n, "criticalThreshold: 0.70", "warningThreshold: 0.60", "maxRestarts: 2", "restartCooldown: 8s")))
	st := restarts(t, n.name, 1)
	first := st.Restarts.Last.Ended.Boot
	st = restarts(t, n.name, 2)
	if gap := st.Restarts.Last.Started.Boot - first; gap < 8*time.Second {
		t.Errorf("the second restart began %v after the first ended", gap)
	}
	a := waitAlert(t, n.name, service.RuleExhausted)
	if a.Severity != service.Critical {
		t.Errorf("severity %s", a.Severity)
	}
	pid := status(t, n.name).MainPID
	quiet(t, 20*time.Second, "it is left alone", func() (string, bool) {
		s := status(t, n.name)
		return s.Detail, s.MainPID == pid && s.Restarts.GaveUp && s.Restarts.Total == 2
	})
	out := run(t, "memsupctl", "restart", n.name)
	t.Log(out)
	waitStatus(t, n.name, "an operator is obeyed", func(s service.Status) bool { return s.MainPID != pid && s.Restarts.Total == 3 })
}

func TestOOMKillIsReportedOnceWithItsVictim(t *testing.T) {
	n := startNode(t, "oom", "pricing", "MemoryMax=160M\nMemorySwapMax=0\nRestart=on-failure\nRestartSec=1")
	startMemsupd(t, services(adopt(n, "restartOnCritical: false")))
	pid := supervised(t, n).MainPID
	n.trouble("leak=buffer:200M/s")
	a := waitAlert(t, n.name, service.RuleOOMKill)
	eventually(t, "the victim is named", func() (string, bool) {
		a = waitAlert(t, n.name, service.RuleOOMKill)
		return a.Message, len(a.Victims) == 1
	})
	if a.Victims[0].PID != pid || a.Victims[0].Comm == "" {
		t.Errorf("the victim was %d, the alert says %+v", pid, a.Victims)
	}
	st := waitStatus(t, n.name, "systemd brought it back", func(s service.Status) bool { return s.Phase == service.Running && s.MainPID != pid && s.Sample != nil })
	if st.OOMKills != 1 || st.Restarts.Total != 0 {
		t.Errorf("%d kills, %d restarts by memsupd", st.OOMKills, st.Restarts.Total)
	}
	if got := strings.Count(journal(t, "memsupd"), service.RuleOOMKill+": the kernel killed"); got != 1 {
		t.Errorf("reported %d times:\n%s", got, journal(t, "memsupd"))
	}
}

func TestLivelockAtMemoryHigh(t *testing.T) {
	n := startNode(t, "livelock", "pricing", "MemoryMax=1G\nMemoryHigh=80M\nMemorySwapMax=0")
	startMemsupd(t, services(adopt(n, "maxRestarts: 1")))
	before := supervised(t, n)
	n.trouble("leak=buffer:30M/s")
	st := restarts(t, n.name, 1)
	if !strings.Contains(st.Restarts.Last.Reason, service.RuleLivelock) {
		t.Errorf("restarted because %s", st.Restarts.Last.Reason)
	}
	if st.MainPID == before.MainPID {
		t.Error("it is the same process")
	}
	t.Log(st.Restarts.Last.Reason)
}

func TestDBusRestart(t *testing.T) {
	n := startNode(t, "dbus", "pricing", "MemoryMax=256M\nMemorySwapMax=0")
	startMemsupd(t, services(adopt(n)))
	pid := supervised(t, n).MainPID
	run(t, "systemctl", "restart", "dbus.service")
	run(t, "systemctl", "restart", n.unit)
	waitStatus(t, n.name, "is followed after dbus went", func(s service.Status) bool { return s.Phase == service.Running && s.MainPID != pid && s.Sample != nil })
	n.waitReady()
	n.trouble("leak=buffer:20M/s&leak_max=226M")
	restarts(t, n.name, 1)
	if code := ask(t, http.MethodGet, "/health", nil); code != http.StatusOK {
		t.Errorf("/health: %d", code)
	}
}
