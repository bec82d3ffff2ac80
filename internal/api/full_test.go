package api

import (
	"time"

	"github.com/memsup/memsup/internal/limit"
	"github.com/memsup/memsup/internal/service"
)

const mib = 1 << 20

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) service.Instant {
	return service.Instant{Wall: noon.Add(d), Boot: time.Hour + d}
}

// ended is a restart that went well.
func ended() service.ActionRecord {
	return service.ActionRecord{
		Action: service.Action{
			ID: "api-server/restart/7", Kind: service.Restart, Service: "api-server",
			Reason: "memory-critical: 880M of 1G", Alert: "api-server/memory-critical/3", By: "memsupd",
			Before: "5f0c", Started: at(-time.Hour),
		},
		Outcome: service.Succeeded, Detail: "3 s", Took: 3 * time.Second, Ended: at(3*time.Second - time.Hour),
	}
}

func critical() service.Alert {
	return service.Alert{
		ID: "api-server/memory-critical/4", Rule: service.RuleCritical, Service: "api-server",
		Severity: service.Critical, State: service.Firing, Message: "900M of 1G", Value: 0.88, Threshold: 0.85,
		Victims: []service.Victim{{PID: 42, Comm: "node", UID: 1000}},
		Waiting: "restart waits", LatencyNs: 900_000, Since: at(-time.Minute), Updated: at(0),
	}
}

// full is a service of which everything is known.
func full() service.Status {
	limits := limit.Set{
		Max: limit.Bytes(1024 * mib), High: limit.Bytes(800 * mib), Low: limit.Bytes(400 * mib),
		Min: limit.Bytes(1), SwapMax: limit.Max,
	}
	until, last, action := noon.Add(time.Minute), ended(), ended().Action
	return service.Status{
		Name: "api-server", Unit: "walmart-api-server.service", Driver: service.Systemd, Mode: "adopt",
		Phase: service.Running, Detail: "well", MainPID: 42, Cgroup: "/system.slice/walmart-api-server.service",
		RunningSince: noon.Add(-time.Hour), SampledAt: noon,
		Sample: &service.Sample{
			Current: 920 * mib, WorkingSet: 900 * mib, Peak: service.Known(930 * mib), Swap: service.Known(2),
			Anon: 850 * mib, File: 40 * mib, Kernel: service.Known(3), Sock: 4, Shmem: 5, InactiveFile: 20 * mib,
			SlabReclaimable: 6, RefaultFile: 7,
			Events:   service.Events{Low: 8, High: 9, Max: 10, OOM: 11, OOMKill: 12},
			Pressure: &service.Pressure{Some: service.Stall{Avg10: 1.5, Avg60: 2.5, Avg300: 3.5, Total: 13}, Full: service.Stall{Avg10: 0.5, Avg60: 0.25, Avg300: 0.125, Total: 14}},
			CPU:      15, Pids: service.Known(16), Limits: limits,
		},
		Limits: limits, Marks: service.Marks{Warning: limit.Bytes(798 * mib), Critical: limit.Bytes(870 * mib)},
		Alerts: []service.Alert{critical()},
		Restarts: service.RestartStatus{
			Used: 1, Max: 3, Window: time.Hour, CooldownUntil: &until, GaveUp: true, Total: 17, Last: &last,
		},
		Action: &action, OOMKills: 18,
	}
}

// bare is a service of which nothing is known but what is configured.
func bare() service.Status {
	return service.Status{
		Name: "cache-warmer", Unit: "walmart-cache-warmer.service", Driver: service.Systemd, Mode: "adopt", Phase: service.Absent,
	}
}

// both is a line with one of each.
func both() *line {
	return &line{
		services: []service.Status{full(), bare()},
		alerts:   []service.Alert{critical()},
		points: []service.Point{
			{At: noon.Add(-2 * time.Hour), Current: 1, WorkingSet: 1}, // of an earlier life
			{At: noon.Add(-2 * time.Minute), Current: 900 * mib, WorkingSet: 880 * mib},
			{At: noon.Add(-time.Minute), Current: 910 * mib, WorkingSet: 890 * mib},
			{At: noon, Current: 920 * mib, WorkingSet: 900 * mib},
		},
		health: service.Health{
			Status: "degraded", Version: "1.0", Since: noon,
			Subsystems: []service.Subsystem{{Name: "systemd", Detail: "cannot be reached"}},
		},
	}
}

func open(l *line) Options { return Options{Source: l, Operator: l, Accounts: everybody{}} }
