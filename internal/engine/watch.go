package engine

import (
	"fmt"
	"time"

	"github.com/memsup/memsup/internal/alert"
	"github.com/memsup/memsup/internal/limit"
	"github.com/memsup/memsup/internal/service"
)

const (
	// highSlack: the kernel raises its "high" event on memory.current at the
	// very charge that crosses MemoryHigh, and then holds the service there. The
	// working set stands a few inactive pages below, for good; so at an event the
	// warning mark is taken as crossed from this share of MemoryHigh on.
	highSlack = 0.95

	// A livelock: MemoryHigh below what the service needs and nowhere to put
	// the rest, so that the kernel throttles it without end while systemd says
	// "active (running)". Half a million high events in 90 minutes were seen.
	livelockAfter    = 20 * time.Second
	livelockPressure = 20.0 // % of wall time stalled over 10 s
	// livelockGap is how long it may seem to get on in between before it counts as
	// having got on: the kernel puts a thread to sleep for up to two seconds.
	livelockGap     = 10 * time.Second
	livelockForgets = 30 * time.Second
	// highForgets is how long the kernel's high event stands for the warning mark.
	highForgets = 30 * time.Second
)

// stall follows a service that is held at its MemoryHigh.
type stall struct {
	since time.Duration // stalled ever since; 0: it is not
	last  time.Duration // when it last was, or when an alert from before was taken over
	high  time.Duration // when the kernel last held it there, stalled or not; 0: never
}

// watch holds the newest sample against the marks.
func (t *turn) watch(prev *service.Sample, m service.Measured) {
	held := t.heldAtHigh(prev)
	if held {
		t.stall.high = t.at.Boot
	}
	t.watchHigh(held)
	limitMax, ok := t.sample.Limits.Max.Bytes()
	if !ok || limitMax == 0 {
		for _, rule := range []string{service.RuleCritical, service.RuleWarning} {
			t.resolve(rule, "no MemoryMax")
		}
		return
	}
	use := float64(t.sample.WorkingSet) / float64(limitMax)
	w := t.spec.Watermarks
	critical := t.mark(service.RuleCritical, service.Critical, w.Critical, use, false, m)
	t.mark(service.RuleWarning, service.Warning, w.Warning, use, critical || t.stayedAtHigh(), m)
}

// mark raises or resolves the alert of one watermark and reports whether it is
// over. told: other evidence says that it is crossed.
func (t *turn) mark(rule string, sev service.Severity, mark, use float64, told bool, m service.Measured) bool {
	firing := t.Alerts.Get(rule)
	over := alert.Mark{Raise: mark, Clear: mark - t.spec.Watermarks.Hysteresis}.Over(firing != nil, use)
	if !over && !told {
		t.resolve(rule, "working set at %.1f %% of MemoryMax, below the mark of %.0f %%", use*100, mark*100)
		return false
	}
	why := fmt.Sprintf("(mark %.0f %%)", mark*100)
	if !over {
		why = fmt.Sprintf("and held at MemoryHigh %v", t.sample.Limits.High)
	}
	a := service.Alert{
		Rule: rule, Severity: sev, Value: use, Threshold: mark,
		Message: fmt.Sprintf("working set %s is %.1f %% of MemoryMax %v %s",
			limit.Humanize(t.sample.WorkingSet), use*100, t.sample.Limits.Max, why),
	}
	if firing == nil && m.Seen != 0 {
		a.LatencyNs = int64(t.at.Boot - m.Seen)
	}
	t.raise(a)
	return true
}

// heldAtHigh reports whether the kernel throttled the service at MemoryHigh since
// prev, with hardly anything left that it could drop.
func (t *turn) heldAtHigh(prev *service.Sample) bool {
	high, ok := t.sample.Limits.High.Bytes()
	return ok && prev != nil && t.sample.Events.High > prev.Events.High &&
		float64(t.sample.WorkingSet) >= highSlack*float64(high)
}

// stayedAtHigh reports whether the kernel held it at MemoryHigh a moment ago and it
// did not get away from there since: not every sample comes with an event.
func (t *turn) stayedAtHigh() bool {
	high, ok := t.sample.Limits.High.Bytes()
	return ok && t.stall.high != 0 && t.at.Boot-t.stall.high < highForgets &&
		float64(t.sample.WorkingSet) >= (highSlack-t.spec.Watermarks.Hysteresis)*float64(high)
}

// watchHigh finds the livelock: held at MemoryHigh, as the newest sample says, and
// stalled by it.
func (t *turn) watchHigh(held bool) {
	now, p := t.at.Boot, t.sample.Pressure
	firing := t.Alerts.Get(service.RuleLivelock) != nil
	held = held && (p == nil || p.Some.Avg10 >= livelockPressure)
	st := &t.stall
	gotOn := !firing && now-st.last >= max(livelockGap, t.spec.Interval*3/2)
	switch {
	case held && (st.since == 0 || gotOn):
		st.since, st.last = now, now
	case held:
		st.last = now
	case firing && st.last == 0: // of an earlier memsupd
		st.last = now
	case firing && now-st.last >= livelockForgets:
		st.since, st.last = 0, 0
		t.resolve(service.RuleLivelock, "no longer held at MemoryHigh %v", t.sample.Limits.High)
	case gotOn:
		st.since, st.last = 0, 0
	}
	if !held || !t.livelocked() {
		return
	}
	stalled := ""
	if p != nil {
		stalled = fmt.Sprintf(", stalled %.0f %% of the time", p.Some.Avg10)
	}
	t.raise(service.Alert{
		Rule: service.RuleLivelock, Severity: service.Critical,
		Value: (now - st.since).Seconds(), Threshold: livelockAfter.Seconds(),
		Message: fmt.Sprintf("held at MemoryHigh %v for %v%s: %d high events; it needs more than it may have",
			t.sample.Limits.High, (now - st.since).Round(time.Second), stalled, t.sample.Events.High),
	})
}

// livelocked reports whether it was held for long enough, by what this memsupd saw.
func (t *turn) livelocked() bool {
	st := &t.stall
	return st.since != 0 && st.last-st.since >= livelockAfter && t.at.Boot-st.last < livelockForgets
}
