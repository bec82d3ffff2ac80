package restart

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/memsup/memsup/internal/service"
)

// Budget is the restarts of one service that memsupd decided itself. The zero
// Budget is untouched. It can be written as JSON and read back.
type Budget struct {
	Starts []time.Duration `json:"starts,omitempty"` // within the window, on the boot clock, oldest first
	Last   *time.Duration  `json:"last,omitempty"`   // when the newest ended, or began while it runs; nil: none yet
	Total  uint64          `json:"total"`            // ever, an operator's included
	GaveUp bool            `json:"gaveUp"`
}

// Verdict is the answer to "may it be restarted now?".
type Verdict struct {
	Allowed   bool
	Wait      time.Duration // until it may; 0 when allowed or exhausted
	Exhausted bool          // the budget is used up
	Reason    string        // why not, in words
}

// Ask answers for the time now. Giving up is remembered by [Budget.GiveUp]: once
// given up, the answer is Exhausted even after the window has passed.
func (b *Budget) Ask(p service.RestartPolicy, now time.Duration) Verdict {
	used := b.Used(p, now)
	switch {
	case b.GaveUp || used >= p.MaxRestarts:
		return Verdict{Exhausted: true, Reason: fmt.Sprintf("%d of %d restarts within %v are used up", used, p.MaxRestarts, p.Window)}
	case now < b.CooldownUntil(p):
		return Verdict{Wait: b.CooldownUntil(p) - now, Reason: fmt.Sprintf("cool-down of %v", p.Cooldown)}
	default:
		return Verdict{Allowed: true}
	}
}

// Used counts the restarts within the window that ends now.
func (b *Budget) Used(p service.RestartPolicy, now time.Duration) int {
	i, _ := slices.BinarySearchFunc(b.Starts, now-p.Window, func(t, from time.Duration) int {
		if t <= from {
			return -1
		}
		return 1
	})
	return len(b.Starts) - i
}

// CooldownUntil returns when the cool-down of the newest restart ends, which may
// be past. Without one it is the least duration there is.
func (b *Budget) CooldownUntil(p service.RestartPolicy) time.Duration {
	if b.Last == nil {
		return math.MinInt64
	}
	return *b.Last + p.Cooldown
}

// Begin returns the budget with a restart that begins now. An operator's is not
// counted, but the cool-down runs from it too. b itself stays as it was, for
// taking the restart back if it turns out never to have happened.
func (b Budget) Begin(p service.RestartPolicy, now time.Duration, byOperator bool) Budget {
	b.Total++
	b.Last = &now
	b.Starts = slices.Clone(b.Starts[len(b.Starts)-b.Used(p, now):])
	if !byOperator {
		b.Starts = append(b.Starts, now)
	}
	return b
}

// End records that the restart in progress ended: the cool-down runs from here.
func (b *Budget) End(now time.Duration) { b.Last = &now }

// GiveUp records that the budget ran out and returns whether that is news.
func (b *Budget) GiveUp() bool {
	was := b.GaveUp
	b.GaveUp = true
	return !was
}

// Forgive empties the budget: a person restarted or changed the service, so
// what it did before says nothing about it now.
func (b *Budget) Forgive() { b.Starts, b.GaveUp = nil, false }

// Rebase returns the budget with every time moved by d, after a reboot has
// reset the boot clock.
func (b Budget) Rebase(d time.Duration) Budget {
	b.Starts = slices.Clone(b.Starts)
	for i := range b.Starts {
		b.Starts[i] += d
	}
	if b.Last != nil {
		last := *b.Last + d
		b.Last = &last
	}
	return b
}
