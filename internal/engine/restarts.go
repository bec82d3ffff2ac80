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
	cause := t.causeForRestart()
	if cause == nil || t.InFlight != nil {
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
	switch t.unit.Phase {
	case service.Running:
		if p.OnCritical {
			for _, rule := range []string{service.RuleCritical, service.RuleLivelock} {
				if a := t.Alerts.Get(rule); a != nil && t.sample != nil {
					return a
				}
			}
		}
		return t.oomCause()
	case service.Failed:
		if a := t.Alerts.Get(service.RuleFailed); a != nil {
			return a // memsupd took it down: it goes on trying, within the budget
		}
		return t.oomCause()
	default:
		return nil
	}
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
	t.InFlight = &InFlight{Action: a, Budget: t.Budget}
	t.Budget = t.Budget.Begin(t.spec.Restart, t.at.Boot, operator)
	t.OOM.Treated = true
	t.out = append(t.out, service.Decision{At: t.at, Service: t.spec.Name, Begin: &a})
}

// asked takes an operator's request. One that cannot be met is refused in a note.
func (t *turn) asked(q service.Asked) {
	switch {
	case q.Kind != service.Restart:
		t.note("refused", "%s is not something to ask for", q.Kind)
	case t.InFlight != nil:
		t.note("refused", "%s is in progress", t.InFlight.Action.ID)
	case !t.known || t.unit.Phase == service.Absent || t.unit.Phase == service.Masked:
		t.note("refused", "%s is %s", t.spec.Unit, t.unit.Phase)
	default:
		t.Budget.Forgive()
		t.resolve(service.RuleExhausted, "an operator restarted it")
		t.begin(nil, q.By, "asked for by "+q.By, q.ID)
	}
}

func (t *turn) actionDone(d service.ActionDone) {
	f := t.InFlight
	if f == nil || f.Action.ID != d.ID {
		return // told twice
	}
	t.unitChanged(d.Unit)
	t.InFlight = nil
	record := &service.ActionRecord{Action: f.Action, Outcome: d.Outcome, Detail: d.Detail, Took: d.Took, Ended: t.at}
	t.Last = record
	switch d.Outcome {
	case service.NotStarted, service.Skipped:
		gaveUp := t.Budget.GaveUp
		t.Budget = f.Budget
		t.Budget.GaveUp = gaveUp
	case service.Succeeded:
		t.Budget.End(t.at.Boot)
		t.resolve(service.RuleFailed, "restarted, main pid %d", d.Unit.MainPID)
		for _, rule := range []string{service.RuleLivelock, service.RuleCritical, service.RuleWarning} {
			t.resolve(rule, "restarted: %s", f.Action.ID)
		}
	default:
		t.Budget.End(t.at.Boot)
		t.raise(service.Alert{
			Rule: service.RuleFailed, Severity: service.Critical, Value: 1, Threshold: 1,
			Message: fmt.Sprintf("%s did not bring it back: %s", f.Action.ID, d.Detail),
		})
	}
	r := *record
	t.out = append(t.out, service.Decision{At: t.at, Service: t.spec.Name, End: &r})
}
