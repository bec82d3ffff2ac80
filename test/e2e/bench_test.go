//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/memsup/memsup/internal/service"
)

// BenchmarkAlertLatency drives a service over its MemoryHigh again and again, and
// reports the time from the kernel's event, as an observer with real-time priority
// sees it, to the decision to raise the alert.
func BenchmarkAlertLatency(b *testing.B) {
	n := startNode(b, "latency", "pricing", limits256)
	startMemsupd(b, services(adopt(n, "interval: 60s", "restartOnCritical: false")))
	supervised(b, n)
	var all []float64
	for b.Loop() {
		base := n.counter("memory.events", "high")
		wake := watchHigh(b, n, base)
		n.trouble("leak=buffer:40M/s&leak_max=205M")
		a := waitAlert(b, n.name, service.RuleWarning)
		crossed, ok := <-wake
		if !ok {
			b.Fatal("the observer saw nothing")
		}
		all = append(all, float64(a.Since.Boot-crossed)/1e6)
		run(b, "systemctl", "restart", n.unit)
		n.waitReady()
		waitStatus(b, n.name, "is quiet again", func(s service.Status) bool {
			return s.Phase == service.Running && s.Sample != nil && len(s.Alerts) == 0
		})
	}
	slices.Sort(all)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(all[len(all)/2], "ms-median")
	b.ReportMetric(all[len(all)-1], "ms-max")
}

// BenchmarkIdleMinute is what memsupd itself costs in a minute of watching quiet
// services, each sampled every ten seconds.
func BenchmarkIdleMinute(b *testing.B) {
	for _, count := range []int{5, 50} {
		b.Run(fmt.Sprintf("services=%d", count), func(b *testing.B) {
			var of []string
			for i := range count {
				unit := fmt.Sprintf("e2e-quiet-%d.service", i)
				run(b, "systemd-run", "--unit="+unit, "-p", "MemoryMax=64M", "-p", "MemoryHigh=48M", "sleep", "infinity")
				b.Cleanup(func() { _, _ = try(b, "systemctl", "stop", unit) })
				of = append(of, fmt.Sprintf("  quiet-%d:\n    unit: %s\n    interval: 10s\n", i, unit))
			}
			startMemsupd(b, services(of...))
			for i := range count {
				waitStatus(b, fmt.Sprintf("quiet-%d", i), "is supervised", func(s service.Status) bool { return s.Sample != nil })
			}
			time.Sleep(20 * time.Second) // past what starting costs
			m := &node{t: b, name: "memsupd", unit: "memsupd.service"}
			var cpu, rss float64
			for b.Loop() {
				before := m.counter("cpu.stat", "usage_usec")
				time.Sleep(time.Minute)
				cpu = float64(m.counter("cpu.stat", "usage_usec")-before) / 1e3
				rss = residentMiB(b, m.show("MainPID"))
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(cpu, "cpu-ms/min")
			b.ReportMetric(rss, "RSS-MiB")
		})
	}
}

// counter reads one line of a flat-keyed file of the unit's cgroup.
func (n *node) counter(file, key string) uint64 {
	n.t.Helper()
	for line := range strings.Lines(n.kernel(file)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), key+" "); ok {
			c, err := strconv.ParseUint(v, 10, 64)
			if err != nil {
				n.t.Fatal(err)
			}
			return c
		}
	}
	n.t.Fatalf("no %s in %s", key, file)
	return 0
}

// residentMiB is VmRSS of /proc/PID/status.
func residentMiB(t testing.TB, pid string) float64 {
	t.Helper()
	b, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmRSS:" {
			kib, err := strconv.ParseFloat(f[1], 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib / 1024
		}
	}
	t.Fatal("no VmRSS")
	return 0
}
