package main

import (
	"time"

	"github.com/memsup/memsup/internal/limit"
	"github.com/memsup/memsup/internal/service"
)

const mib = 1 << 20

// now is when the tests look; ago is a moment before it.
var now = time.Date(2026, 7, 23, 10, 30, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return now.Add(-d) }

func at(d time.Duration) service.Instant {
	return service.Instant{Wall: ago(d), Boot: 90*time.Hour - d}
}

func limits(limitMax, high limit.Value) limit.Set {
	return limit.Set{Max: limitMax, High: high, Low: limit.Bytes(0), Min: limit.Bytes(0), SwapMax: limit.Bytes(0)}
}

func sample(current, inactive uint64, l limit.Set) *service.Sample {
	return &service.Sample{
		Current: current, WorkingSet: current - inactive, InactiveFile: inactive,
		Peak: service.Known(current + 3*mib), Swap: service.Known(0), Anon: current - inactive, File: inactive,
		Kernel: service.Known(6 * mib), Pids: service.Known(11), CPU: 93 * time.Second, Limits: l,
		Events:   service.Events{High: 4},
		Pressure: &service.Pressure{Some: service.Stall{Avg10: 0.12, Avg60: 0.04}},
	}
}

func running(name string, pid int, current, inactive uint64, l limit.Set) service.Status {
	limitMax, bounded := l.Max.Bytes()
	var marks service.Marks
	if bounded {
		marks = service.Marks{
			Warning:  limit.Bytes(limitMax / 100 * 78),
			Critical: limit.Bytes(limitMax / 100 * 85),
		}
	}
	return service.Status{
		Name: name, Unit: "walmart-" + name + ".service", Driver: service.Systemd, Mode: "adopt",
		Phase: service.Running, MainPID: pid, Cgroup: "/system.slice/walmart-" + name + ".service",
		RunningSince: ago(26*time.Hour + 5*time.Minute), Sample: sample(current, inactive, l), SampledAt: ago(4 * time.Second),
		Limits: l, Marks: marks,
		Restarts: service.RestartStatus{Max: 3, Window: time.Hour},
	}
}

func idle(name string, phase service.Phase, detail string) service.Status {
	return service.Status{
		Name: name, Unit: "walmart-" + name + ".service", Driver: service.Systemd, Mode: "adopt",
		Phase: phase, Detail: detail, Restarts: service.RestartStatus{Max: 3, Window: time.Hour},
	}
}

func alert(service_, rule string, sev service.Severity, since time.Duration, message string) service.Alert {
	return service.Alert{
		ID: service_ + "/" + rule + "/3", Rule: rule, Service: service_, Severity: sev, State: service.Firing,
		Message: message, Value: 0.86, Threshold: 0.85, Since: at(since), Updated: at(time.Second),
	}
}

func restarted(name string, outcome service.Outcome, detail string) *service.ActionRecord {
	return &service.ActionRecord{
		Action: service.Action{
			ID: name + "/restart/7", Kind: service.Restart, Service: name, By: "memsupd", Alert: name + "/memory-critical/2",
			Reason: "memory-critical: working set 222.1 MiB is 86.8 % of MemoryMax 256M (mark 85 %)", Started: at(3 * time.Minute),
		},
		Outcome: outcome, Detail: detail, Took: 3200 * time.Millisecond, Ended: at(3*time.Minute - 3200*time.Millisecond),
	}
}

// fleet is services in every state that a person meets.
func fleet() []service.Status {
	api := running("api-server", 1412, 231*mib, 9*mib, limits(limit.Bytes(256*mib), limit.Bytes(240*mib)))
	until := now.Add(2*time.Minute + 3*time.Second)
	api.Alerts = []service.Alert{
		alert("api-server", service.RuleCritical, service.Critical, 42*time.Second, "working set 222.0 MiB is 86.7 % of MemoryMax 256M (mark 85 %)"),
		alert("api-server", service.RuleWarning, service.Warning, 9*time.Minute, "working set 222.0 MiB is 86.7 % of MemoryMax 256M (mark 78 %)"),
	}
	api.Alerts[0].Waiting = "restart waits for the cool-down to end, in 2m3s"
	api.Restarts = service.RestartStatus{Used: 1, Max: 3, Window: time.Hour, CooldownUntil: &until, Total: 7, Last: restarted("api-server", service.Succeeded, "")}
	api.Sample.Pressure.Some = service.Stall{Avg10: 12.5, Avg60: 4.2, Avg300: 1.1}
	api.Sample.Pressure.Full = service.Stall{Avg10: 3.4, Avg60: 1.2, Avg300: 0.3}

	pricing := running("pricing", 1501, 300*mib, 20*mib, limits(limit.Bytes(384*mib), limit.Max))
	pricing.Phase, pricing.RunningSince = service.Restarting, time.Time{}
	pricing.Action = &service.Action{
		ID: "pricing/restart/by-hand-1", Kind: service.Restart, Service: "pricing",
		By: "uid 0 (root) over the unix socket", Reason: "asked for by uid 0 (root) over the unix socket", Started: at(8 * time.Second),
	}

	queue := idle("nlp-queue", service.Failed, "walmart-nlp-queue.service failed (oom-kill); see journalctl -u walmart-nlp-queue.service")
	queue.Limits = limits(limit.Bytes(1<<30), limit.Absent)
	queue.OOMKills = 2
	queue.Alerts = []service.Alert{
		alert("nlp-queue", service.RuleExhausted, service.Critical, 3*time.Hour+7*time.Minute,
			"3 restarts within 1h0m0s, and oom-kill still holds; memsupd will not restart it again: look into it, then run memsupctl restart nlp-queue"),
		alert("nlp-queue", service.RuleOOMKill, service.Critical, 3*time.Hour+8*time.Minute, "the kernel killed node (pid 977) for reaching MemoryMax; 2 so far"),
	}
	queue.Alerts[1].Victims = []service.Victim{{PID: 901, Comm: "node", UID: 33}, {PID: 977, Comm: "node", UID: 33}}
	queue.Restarts = service.RestartStatus{Used: 3, Max: 3, Window: time.Hour, GaveUp: true, Total: 3, Last: restarted("nlp-queue", service.Unfinished, "the unit is failed (oom-kill)")}

	// An old kernel without PSI, swap accounting and memory.peak; a unit without limits.
	socket := running("websocket", 1533, 88*mib, 2*mib, limit.Set{Max: limit.Max, High: limit.Max, Low: limit.Bytes(0)})
	socket.Sample.Pressure, socket.Sample.Peak, socket.Sample.Swap = nil, service.Amount{}, service.Amount{}
	socket.Restarts.Max = 0

	return []service.Status{
		running("cache-warmer", 1399, 248*mib, 121*mib, limits(limit.Bytes(512*mib), limit.Bytes(480*mib))),
		pricing, queue, api, socket,
		idle("thumbnailer", service.Absent, "walmart-thumbnailer.service does not exist; it is adopted when it appears"),
		idle("reports", service.Masked, "walmart-reports.service is masked; systemctl unmask it to have it adopted"),
	}
}
