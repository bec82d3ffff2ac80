package engine

import (
	"fmt"
	"time"

	"github.com/memsup/memsup/internal/limit"
	"github.com/memsup/memsup/internal/service"
)

// Step takes one observation in and returns the decisions that follow, in the
// order in which they are to be made known. An observation of a service that is
// not configured is ignored. A [service.Tick] without a service is for all.
func (s *State) Step(o service.Observation) []service.Decision {
	if o.Service == "" {
		var all []service.Decision
		for _, name := range s.Names() {
			all = append(all, s.Services[name].step(o.At, o.Fact)...)
		}
		return all
	}
	svc := s.Services[o.Service]
	if svc == nil {
		return nil
	}
	return svc.step(o.At, o.Fact)
}

// turn is one step of one service: the moment, and the decisions so far.
type turn struct {
	*Service
	at  service.Instant
	out []service.Decision
}

func (svc *Service) step(at service.Instant, f service.Fact) []service.Decision {
	t := &turn{Service: svc, at: at}
	t.due = 0
	switch f := f.(type) {
	case service.Measured:
		t.measured(f)
	case service.Unmeasured:
		t.unmeasured(f.Cause)
	case service.UnitChanged:
		t.unitChanged(f.Unit)
	case service.OOMKilled:
		t.oomKilled(f.Victim)
	case service.Asked:
		t.asked(f)
	case service.ActionDone:
		t.actionDone(f)
	case service.Tick:
	}
	t.settleOOM()
	t.considerRestart()
	return t.out
}

func (t *turn) note(kind, format string, args ...any) {
	t.out = append(t.out, service.Decision{At: t.at, Service: t.spec.Name, Note: &service.Note{Kind: kind, Message: fmt.Sprintf(format, args...)}})
}

// say makes a copy of the alert known: later steps change the original.
func (t *turn) say(a *service.Alert) {
	c := *a
	c.Victims = append([]service.Victim(nil), a.Victims...)
	t.out = append(t.out, service.Decision{At: t.at, Service: t.spec.Name, Alert: &c})
}

// raise fires the alert, or brings it up to date; only the first is made known.
func (t *turn) raise(a service.Alert) *service.Alert {
	a.Service = t.spec.Name
	firing, fresh := t.Alerts.Raise(t.at, a)
	if fresh {
		t.say(firing)
	}
	return firing
}

func (t *turn) resolve(rule, format string, args ...any) {
	if a := t.Alerts.Resolve(t.at, rule, fmt.Sprintf(format, args...)); a != nil {
		t.say(a)
	}
}

// wake asks for a Tick at the given time on the boot clock.
func (t *turn) wake(at time.Duration) {
	if t.due == 0 || at < t.due {
		t.due = at
	}
}

func (t *turn) measured(m service.Measured) {
	if m.Incarnation != t.Incarnation || !t.known {
		return // of a life that has ended, or not begun, as far as is known
	}
	prev := t.sample
	sample := m.Sample
	if sample.Limits == (limit.Set{}) && prev != nil {
		sample.Limits = prev.Limits // read with the schedule, not at every event
	}
	t.sample, t.sampled = &sample, t.at
	if t.blind != "" {
		t.note("recovered", "it can be measured again")
		t.blind = ""
	}
	t.compareLimits(sample.Limits)
	t.countKills(sample.Events.OOMKill)
	t.watch(prev, m)
}

// unmeasured notes, once for each cause, that nothing is seen of the service.
func (t *turn) unmeasured(cause string) {
	if t.blind != cause {
		t.note("trouble", "cannot measure it: %s", cause)
		t.blind = cause
	}
}

// compareLimits notes a limit that changed while the service ran: a drop-in, a
// set-property. The marks follow by themselves, being fractions of Max.
func (t *turn) compareLimits(now limit.Set) {
	was := t.limits
	t.limits = now
	if was == (limit.Set{}) || was == now {
		return
	}
	for _, f := range []struct {
		name     string
		was, now limit.Value
	}{
		{"MemoryMax", was.Max, now.Max},
		{"MemoryHigh", was.High, now.High},
		{"MemoryLow", was.Low, now.Low},
		{"MemoryMin", was.Min, now.Min},
		{"MemorySwapMax", was.SwapMax, now.SwapMax},
	} {
		if f.was != f.now {
			t.note("limits-changed", "%s %v -> %v", f.name, f.was, f.now)
		}
	}
}

func (t *turn) unitChanged(u service.Unit) {
	was, seen := t.unit, t.known
	t.unit, t.known = u, true
	if u.Incarnation != "" && u.Incarnation != t.Incarnation {
		t.newLife(u)
	}
	t.AutoRestarts = u.AutoRestarts
	if !seen || was.Phase != u.Phase {
		t.phaseChanged(was.Phase, seen)
	}
}

// newLife forgets what belonged to the cgroup that is gone.
func (t *turn) newLife(u service.Unit) {
	first := t.Incarnation == ""
	byUs := t.InFlight != nil
	switch {
	case first:
	case byUs:
		t.note("unit-changed", "restarted by memsupd, main pid %d", u.MainPID)
	case u.AutoRestarts > t.AutoRestarts:
		t.note("unit-changed", "restarted by systemd, main pid %d", u.MainPID)
	default:
		// A person or a deploy: what the last version did says nothing of this one.
		t.note("unit-changed", "restarted from outside memsupd, main pid %d", u.MainPID)
		t.Budget.Forgive()
		t.resolve(service.RuleExhausted, "restarted from outside memsupd")
	}
	t.Incarnation = u.Incarnation
	t.sample, t.limits, t.stall = nil, limit.Set{}, stall{}
	t.OOM.begin(first)
}

func (t *turn) phaseChanged(was service.Phase, seen bool) {
	switch t.unit.Phase {
	case service.Running:
		if !seen {
			t.note("adopted", "%s is running, main pid %d, cgroup %s", t.spec.Unit, t.unit.MainPID, t.unit.Cgroup)
		}
		t.resolve(service.RuleDown, "running again, main pid %d", t.unit.MainPID)
	case service.Failed:
		t.diedOfOOM()
		t.raise(service.Alert{
			Rule: service.RuleDown, Severity: service.Critical, Value: 1, Threshold: 1,
			Message: fmt.Sprintf("%s failed (%s)", t.spec.Unit, t.unit.Result),
		})
		t.stopped("failed")
	case service.Stopped, service.Absent, service.Masked:
		if seen && was != t.unit.Phase {
			t.note("unit-changed", "%s is %s", t.spec.Unit, t.unit.Phase)
		}
		t.resolve(service.RuleDown, "%s is %s", t.spec.Unit, t.unit.Phase)
		t.stopped(string(t.unit.Phase))
	case service.Starting, service.Stopping, service.Restarting:
		if t.unit.Result == "oom-kill" {
			t.diedOfOOM()
		}
	}
}

// stopped ends the alerts on memory that is no longer held.
func (t *turn) stopped(why string) {
	t.sample, t.limits, t.stall = nil, limit.Set{}, stall{}
	for _, rule := range []string{service.RuleLivelock, service.RuleCritical, service.RuleWarning} {
		t.resolve(rule, "the service %s", why)
	}
}
