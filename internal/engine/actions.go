package engine

import (
	"fmt"
	"time"

	"github.com/memsup/memsup/internal/service"
)

const (
	// balkMax bounds the time between two tries of an action that never begins;
	// the first is repeated at once, being mostly what a killed memsupd left.
	balkMax = time.Minute
	// failedResolves ends the alert of a failed restart when the service runs on.
	failedResolves = 5 * time.Minute
)

// asked takes an operator's request. One that cannot be met is refused in a note.
func (t *turn) asked(q service.Asked) {
	switch {
	case q.Kind != service.Restart:
		t.note("refused", "%s is not something to ask for", q.Kind)
	case t.InFlight != nil:
		t.note("refused", "%s is in progress", t.InFlight.Action.ID)
	case !t.known:
		t.note("refused", "%s was not seen yet", t.spec.Unit)
	case t.unit.Phase == service.Masked, t.unit.Phase == service.Absent && t.spec.Launch == nil:
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
	t.retry = 0
	if d.Outcome == service.NotStarted || d.Outcome == service.Skipped {
		t.neverBegan(f)
	} else if d.Unit.Incarnation != f.Action.Before {
		t.Brought = d.Unit.Incarnation
	}
	if t.Incarnation == f.Action.Before || t.Incarnation == d.Unit.Incarnation {
		t.unitChanged(d.Unit) // otherwise a newer life was seen
	}
	t.InFlight = nil
	record := &service.ActionRecord{Action: f.Action, Outcome: d.Outcome, Detail: d.Detail, Took: d.Took, Ended: t.at}
	t.Last = record
	switch d.Outcome {
	case service.NotStarted, service.Skipped:
	case service.Succeeded:
		t.balks = 0
		t.Budget.End(t.at.Boot)
		t.resolve(service.RuleFailed, "restarted, main pid %d", d.Unit.MainPID)
		for _, rule := range []string{service.RuleLivelock, service.RuleCritical, service.RuleWarning} {
			t.resolve(rule, "restarted: %s", f.Action.ID)
		}
	default:
		t.balks = 0
		t.Budget.End(t.at.Boot)
		t.raise(service.Alert{
			Rule: service.RuleFailed, Severity: service.Critical, Value: 1, Threshold: 1,
			Message: fmt.Sprintf("%s did not bring it back: %s", f.Action.ID, d.Detail),
		})
	}
	r := *record
	t.out = append(t.out, service.Decision{At: t.at, Service: t.spec.Name, End: &r})
}

// neverBegan takes an action back and delays the next try: what never begins costs no
// budget, so nothing else would bound it.
func (t *turn) neverBegan(f *InFlight) {
	gaveUp := t.Budget.GaveUp
	t.Budget = f.Budget
	t.Budget.GaveUp = gaveUp
	t.OOM.Treated = f.Treated
	t.InFlight = nil
	if t.balks > 0 {
		t.retry = t.at.Boot + min(time.Second<<min(t.balks, 6), balkMax)
	}
	t.balks++
}

// settleFailed ends the alert of a restart that failed and left the service as it
// was. A new life ends it at once.
func (t *turn) settleFailed() {
	a := t.Alerts.Get(service.RuleFailed)
	if a == nil || t.InFlight != nil || t.unit.Phase != service.Running {
		return
	}
	if end := a.Updated.Boot + failedResolves; t.at.Boot < end {
		t.wake(end)
		return
	}
	t.resolve(service.RuleFailed, "it runs on, main pid %d", t.unit.MainPID)
}
