package alert

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/memsup/memsup/internal/service"
)

// Book is the alerts of one service: at most one firing for each rule. The
// zero Book is empty. It can be written as JSON and read back.
type Book struct {
	Firing map[string]*service.Alert `json:"firing,omitempty"` // by rule
	Count  uint64                    `json:"count"`            // alerts ever raised, for their IDs
}

// Raise makes a firing alert of rule a.Rule, or brings the one that fires up to
// date with a's message, value, threshold and severity. It returns the alert
// and whether it is new.
func (b *Book) Raise(at service.Instant, a service.Alert) (*service.Alert, bool) {
	if old := b.Firing[a.Rule]; old != nil {
		old.Message, old.Value, old.Threshold, old.Severity = a.Message, a.Value, a.Threshold, a.Severity
		old.Updated = at
		return old, false
	}
	if b.Firing == nil {
		b.Firing = make(map[string]*service.Alert)
	}
	b.Count++
	a.ID = fmt.Sprintf("%s/%s/%d", a.Service, a.Rule, b.Count)
	a.State, a.Since, a.Updated = service.Firing, at, at
	b.Firing[a.Rule] = &a
	return &a, true
}

// Get returns the firing alert of a rule, or nil.
func (b *Book) Get(rule string) *service.Alert { return b.Firing[rule] }

// Resolve ends the alert of a rule and returns it, or nil when none fires.
func (b *Book) Resolve(at service.Instant, rule, why string) *service.Alert {
	a := b.Firing[rule]
	if a == nil {
		return nil
	}
	delete(b.Firing, rule)
	a.State, a.Updated, a.Ended, a.Waiting = service.Resolved, at, &at, ""
	a.Message = why
	return a
}

// Alerts returns copies of the firing alerts, the most severe first, then the
// oldest.
func (b *Book) Alerts() []service.Alert {
	out := make([]service.Alert, 0, len(b.Firing))
	for _, a := range b.Firing {
		c := *a
		c.Victims = slices.Clone(a.Victims)
		out = append(out, c)
	}
	slices.SortFunc(out, Order)
	return out
}

// Order sorts alerts: the most severe first, then the oldest, then by ID.
func Order(a, b service.Alert) int {
	return cmp.Or(
		cmp.Compare(rank(a.Severity), rank(b.Severity)),
		cmp.Compare(a.Since.Boot, b.Since.Boot),
		cmp.Compare(a.ID, b.ID),
	)
}

func rank(s service.Severity) int {
	switch s {
	case service.Critical:
		return 0
	case service.Warning:
		return 1
	default:
		return 2
	}
}
