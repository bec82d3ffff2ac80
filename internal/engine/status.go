package engine

import (
	"time"

	"github.com/memsup/memsup/internal/limit"
	"github.com/memsup/memsup/internal/service"
)

// Status says everything about one service at the given moment, or false when
// it is not configured. The result shares nothing with the state.
func (s *State) Status(name string, now service.Instant) (service.Status, bool) {
	svc := s.Services[name]
	if svc == nil || svc.gone {
		return service.Status{}, false
	}
	st := service.Status{
		Name: name, Unit: svc.spec.Unit, Driver: svc.spec.Driver, Mode: "adopt",
		Phase: svc.unit.Phase, Detail: svc.detail(), MainPID: svc.unit.MainPID, Cgroup: svc.unit.Cgroup,
		SampledAt: svc.sampled.Wall, Limits: svc.limits, Marks: marks(svc.spec.Watermarks, svc.limits.Max),
		Alerts: svc.Alerts.Alerts(), Restarts: svc.restartStatus(now), OOMKills: svc.OOM.Total,
	}
	if svc.spec.Launch != nil {
		st.Mode = "launch"
	}
	if !svc.known {
		st.Phase = service.Starting
	}
	if svc.unit.Phase == service.Running {
		st.RunningSince, st.Unmeasured = svc.unit.Since, svc.blind
	}
	if svc.sample != nil {
		sample := *svc.sample
		st.Sample = &sample
	}
	if svc.InFlight != nil {
		a := svc.InFlight.Action
		st.Action = &a
		st.Phase = service.Restarting
	}
	return st, true
}

func (svc *Service) detail() string {
	switch svc.unit.Phase {
	case service.Running:
		if svc.blind != "" {
			return "it runs unwatched, because it cannot be measured: " + svc.blind
		}
		return ""
	case service.Absent:
		if svc.spec.Launch != nil {
			return svc.spec.Unit + " was stopped or has ended; start it with memsupctl restart " + svc.spec.Name
		}
		return svc.spec.Unit + " does not exist; it is adopted when it appears"
	case service.Masked:
		return svc.spec.Unit + " is masked; systemctl unmask it to have it adopted"
	case service.Stopped:
		return svc.spec.Unit + " is not running; it is adopted when it starts"
	case service.Failed:
		return svc.spec.Unit + " failed (" + svc.unit.Result + "); see journalctl -u " + svc.spec.Unit
	case service.Starting:
		return svc.spec.Unit + " is starting, or waits to be started again"
	default:
		return ""
	}
}

func (svc *Service) restartStatus(now service.Instant) service.RestartStatus {
	p := svc.spec.Restart
	rs := service.RestartStatus{
		Used: svc.Budget.Used(p, now.Boot), Max: p.MaxRestarts, Window: p.Window,
		GaveUp: svc.Budget.GaveUp, Total: svc.Budget.Total, Last: svc.Last,
	}
	if left := svc.Budget.CooldownUntil(p) - now.Boot; svc.Budget.Last != nil && left > 0 {
		until := now.Wall.Add(left).Truncate(time.Second)
		rs.CooldownUntil = &until
	}
	return rs
}

func marks(w service.Watermarks, limitMax limit.Value) service.Marks {
	n, ok := limitMax.Bytes()
	if !ok {
		return service.Marks{}
	}
	return service.Marks{
		Warning:  limit.Bytes(uint64(w.Warning * float64(n))),
		Critical: limit.Bytes(uint64(w.Critical * float64(n))),
	}
}
