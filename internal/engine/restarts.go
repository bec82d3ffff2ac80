package engine

import (
	"fmt"
	"time"

	"github.com/memsup/memsup/internal/service"
)

// considerRestart begins a restart when an alert asks for one and the budget
// allows it. It is asked at every step, so a restart that had to wait begins
// with the first observation after its wait; [turn.wake] sees to there being one.
func (t *turn) considerRestart() {
	if !t.Budget.GaveUp {
		t.resolve(service.RuleExhausted, "its restart policy was changed")
	}
	cause := t.causeForRestart()
	for _, a := range t.Alerts.Firing {
		if a != cause {
			a.Waiting = ""
		}
	}
	if cause == nil || t.InFlight != nil || t.gone {
		return
	}
	if t.at.Boot < t.retry {
		t.wake(t.retry)
		return
	}
	p := t.spec.Restart
	verdict := t.Budget.Ask(p, t.at.Boot)
	switch {
	case verdict.Allowed:
		cause.Waiting = ""
		t.begin(cause, "memsupd", fmt.Sprintf("%s: %s", cause.Rule, cause.Message), "")
	case verdict.Exhausted:
		cause.Waiting = "no restart: " + verdict.Reason
		if t.Budget.GiveUp() {
			t.raise(service.Alert{
				Rule: service.RuleExhausted, Severity: service.Critical,
				Value: float64(t.Budget.Used(p, t.at.Boot)), Threshold: float64(p.MaxRestarts),
				Message: fmt.Sprintf("%s, and %s still holds; memsupd will not restart it again: look into it, then run memsupctl restart %s",
					verdict.Reason, cause.Rule, t.spec.Name),
			})
		}
	default:
		cause.Waiting = fmt.Sprintf("restart waits for the %s to end, in %v", verdict.Reason, verdict.Wait.Round(time.Second))
		t.wake(t.at.Boot + verdict.Wait)
	}
}

// causeForRestart returns the firing alert that asks for a restart now, or nil.
func (t *turn) causeForRestart() *service.Alert {
	p := t.spec.Restart
	if p.MaxRestarts == 0 || !t.known {
		return nil
	}
	failed := t.Alerts.Get(service.RuleFailed)
	switch t.unit.Phase {
	case service.Running:
		// What the last sample said holds only while samples can be taken.
		if seen := t.sample != nil && t.blind == ""; seen && p.OnCritical {
			if a := t.Alerts.Get(service.RuleCritical); a != nil {
				return a
			}
			if a := t.Alerts.Get(service.RuleLivelock); a != nil && t.livelocked() {
				return a
			}
		}
		return t.oomCause()
	case service.Failed:
		if failed != nil {
			return failed // memsupd took it down: it goes on trying, within the budget
		}
		return t.oomCause()
	case service.Stopped:
		return failed // a dependency failed, or it ended at once
	case service.Absent:
		if t.spec.Launch != nil {
			return failed
		}
	}
	return nil
}

// oomCause returns the alert of a kill that the unit outlived, or that ended it
// for good, once it has had the time to go down or to be restarted by systemd.
func (t *turn) oomCause() *service.Alert {
	a := t.Alerts.Get(service.RuleOOMKill)
	if a == nil || !t.spec.Restart.OnOOM || t.OOM.Treated || t.OOM.Counted == 0 {
		return nil
	}
	if ready := t.OOM.Last + oomSettles; t.at.Boot < ready {
		t.wake(ready)
		return nil
	}
	return a
}

// begin starts a restart. id is the operator's request, or "".
func (t *turn) begin(cause *service.Alert, by, reason, id string) {
	operator := id != ""
	if !operator {
		t.Actions++
		id = fmt.Sprintf("%s/%s/%d", t.spec.Name, service.Restart, t.Actions)
	}
	a := service.Action{
		ID: id, Kind: service.Restart, Service: t.spec.Name, Reason: reason, By: by,
		Before: t.Incarnation, Started: t.at,
	}
	if cause != nil {
		a.Alert = cause.ID
	}
	t.InFlight = &InFlight{Action: a, Budget: t.Budget, Treated: t.OOM.Treated}
	t.Budget = t.Budget.Begin(t.spec.Restart, t.at.Boot, operator)
	t.OOM.Treated = true
	t.out = append(t.out, service.Decision{At: t.at, Service: t.spec.Name, Begin: &a})
}
