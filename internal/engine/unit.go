package engine

import (
	"fmt"

	"github.com/memsup/memsup/internal/limit"
	"github.com/memsup/memsup/internal/service"
)

// unitChanged takes the state of the unit. One without a phase was not seen, and
// one of a life that is over was read before: neither says anything now.
func (t *turn) unitChanged(u service.Unit) {
	if u.Phase == "" || t.isPast(u.Incarnation) {
		return
	}
	was, seen := t.unit, t.known
	t.unit, t.known = u, true
	if u.Incarnation != "" && u.Incarnation != t.Incarnation {
		t.newLife(u, seen)
	}
	if u.Phase != service.Running {
		t.diedOfOOM()
	}
	if !seen || was.Phase != u.Phase {
		t.phaseChanged(was.Phase, seen)
	}
}

// isPast reports whether an incarnation is the one that memsupd last acted on and is
// over. It never comes back.
func (t *turn) isPast(incarnation string) bool {
	return t.Last != nil && incarnation != "" && incarnation == t.Last.Before && incarnation != t.Incarnation
}

// newLife forgets what belonged to the cgroup that is gone. seen: the unit was
// observed before, though perhaps never running.
func (t *turn) newLife(u service.Unit, seen bool) {
	first := t.Incarnation == ""
	byUs := t.InFlight != nil || u.Incarnation == t.Brought
	switch {
	case first:
	case byUs:
		t.note("unit-changed", "restarted by memsupd, main pid %d", u.MainPID)
	case u.AutoRestarts > 0: // counted since the last start by hand
		t.note("unit-changed", "it ended by itself and was started again, main pid %d", u.MainPID)
	default:
		// A person or a deploy: what the last version did says nothing of this one.
		t.note("unit-changed", "restarted from outside memsupd, main pid %d", u.MainPID)
		t.Budget.Forgive()
		t.resolve(service.RuleExhausted, "restarted from outside memsupd")
	}
	if !first {
		t.resolve(service.RuleLivelock, "the service was restarted")
	}
	t.Incarnation = u.Incarnation
	t.sample, t.limits, t.stall = nil, limit.Set{}, stall{}
	t.OOM.begin(t.at.Boot, first && !seen)
	if !byUs && u.Phase == service.Running {
		t.resolve(service.RuleFailed, "running again, main pid %d", u.MainPID)
	}
}

func (t *turn) phaseChanged(was service.Phase, seen bool) {
	switch t.unit.Phase {
	case service.Running:
		if !seen {
			t.note("adopted", "%s is running, main pid %d, cgroup %s", t.spec.Unit, t.unit.MainPID, t.unit.Cgroup)
		}
		t.resolve(service.RuleDown, "running again, main pid %d", t.unit.MainPID)
		if t.InFlight == nil && seen {
			t.resolve(service.RuleFailed, "running again, main pid %d", t.unit.MainPID)
		}
	case service.Failed:
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
		if t.InFlight == nil && seen { // somebody stopped it, and means it
			t.resolve(service.RuleFailed, "%s is %s", t.spec.Unit, t.unit.Phase)
		}
		t.stopped(string(t.unit.Phase))
	}
}

// down reports whether the unit holds no memory.
func (t *turn) down() bool {
	switch t.unit.Phase {
	case service.Failed, service.Stopped, service.Absent, service.Masked:
		return true
	}
	return false
}

// stopped ends the alerts on memory that is no longer held.
func (t *turn) stopped(why string) {
	t.sample, t.limits, t.stall = nil, limit.Set{}, stall{}
	for _, rule := range []string{service.RuleLivelock, service.RuleCritical, service.RuleWarning} {
		t.resolve(rule, "the service %s", why)
	}
}
