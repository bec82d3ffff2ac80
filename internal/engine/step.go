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
	out := svc.step(o.At, o.Fact)
	if svc.gone && svc.InFlight == nil {
		delete(s.Services, o.Service)
	}
	return out
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
	t.settleFailed()
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
	if t.down() {
		t.countKills(m.Sample.Events.OOMKill) // read before it ended
		return
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
	if t.InFlight != nil && was != (limit.Set{}) {
		return // MemoryHigh is lifted for the last moments of this life
	}
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
