package engine

import (
	"fmt"
	"time"

	"github.com/memsup/memsup/internal/service"
)

const (
	// oomSettles is how long after a kill the unit may still go down by itself:
	// the counter rises before systemd sees the death. Until then nothing is done.
	oomSettles = 3 * time.Second
	// oomResolves ends the alert when no kill followed.
	oomResolves = 5 * time.Minute
	// victimsKept bounds the victims named in one alert.
	victimsKept = 16
)

// OOM counts the kills of a service across the lives of its unit. The same kill
// is told three times, in any order: by the kernel log (with the victim), by the
// counter in memory.events (until the cgroup is gone) and by the unit's result.
// It is counted once.
type OOM struct {
	Total   uint64        `json:"total"`   // ever
	Counter uint64        `json:"counter"` // memory.events oom_kill of this life, when last read
	Named   uint64        `json:"named"`   // kills of this life that the kernel log told
	Counted uint64        `json:"counted"` // kills of this life that are in Total
	Last    time.Duration `json:"last"`    // on the boot clock
	// Fresh: the next counter is a starting point, not news: the unit is seen for
	// the first time and may have been killed in before.
	Fresh   bool `json:"fresh"`
	Treated bool `json:"treated"` // restarted, or decided not to, since the last kill
	// Unnamed are kills of the life before, counted, that the log may yet tell.
	Unnamed uint64 `json:"unnamed"`
}

// begin forgets the counters of a life that has ended.
func (o *OOM) begin(now time.Duration, fresh bool) {
	o.Unnamed = 0
	if o.Counted > o.Named && now-o.Last < oomSettles {
		o.Unnamed = o.Counted - o.Named
	}
	o.Counter, o.Named, o.Counted, o.Fresh = 0, 0, 0, fresh
}

// countKills takes the counter of memory.events.
func (t *turn) countKills(counter uint64) {
	o := &t.OOM
	o.Counter = counter
	if o.Fresh {
		o.Fresh = false
		o.Counted = max(o.Counted, counter)
		o.Named = o.Counted
		return
	}
	if counter > o.Counted {
		t.killed(counter-o.Counted, nil)
	}
}

// oomKilled takes a kill that the kernel log tells.
func (t *turn) oomKilled(v service.Victim) {
	o := &t.OOM
	if t.at.Boot-o.Last >= oomSettles {
		o.Unnamed = 0
	}
	if o.Unnamed > 0 {
		o.Unnamed--
		t.name(v)
		return
	}
	o.Named++
	if o.Named <= o.Counted { // the counter was faster: this is its name
		t.name(v)
		return
	}
	t.killed(1, []service.Victim{v})
}

// name adds the victim of a kill that was counted before.
func (t *turn) name(v service.Victim) {
	if a := t.Alerts.Get(service.RuleOOMKill); a != nil && len(a.Victims) < victimsKept {
		a.Victims = append(a.Victims, v)
		a.Message = oomMessage(t.OOM.Total, a.Victims)
		t.say(a)
	}
}

// diedOfOOM takes the unit's result, which counts only when nothing else told.
func (t *turn) diedOfOOM() {
	if t.unit.Result == "oom-kill" && t.OOM.Counted == 0 && !t.OOM.Fresh {
		t.killed(1, nil)
	}
}

func (t *turn) killed(n uint64, victims []service.Victim) {
	o := &t.OOM
	o.Total += n
	o.Counted += n
	o.Last = t.at.Boot
	o.Treated = false
	old := t.Alerts.Get(service.RuleOOMKill)
	if old != nil {
		victims = append(old.Victims, victims...)
	}
	if len(victims) > victimsKept {
		victims = victims[len(victims)-victimsKept:]
	}
	firing := t.raise(service.Alert{
		Rule: service.RuleOOMKill, Severity: service.Critical, Value: float64(n), Threshold: 1,
		Message: oomMessage(o.Total, victims), Victims: victims,
	})
	if old != nil {
		firing.Victims = victims
		t.say(firing)
	}
}

func oomMessage(total uint64, victims []service.Victim) string {
	who := "a process"
	if n := len(victims); n > 0 {
		v := victims[n-1]
		who = fmt.Sprintf("%s (pid %d)", v.Comm, v.PID)
	}
	return fmt.Sprintf("the kernel killed %s for want of memory; %d so far", who, total)
}

// settleOOM ends the alert when no further kill came.
func (t *turn) settleOOM() {
	if t.Alerts.Get(service.RuleOOMKill) == nil {
		return
	}
	if end := t.OOM.Last + oomResolves; t.at.Boot < end {
		t.wake(end)
		return
	}
	t.resolve(service.RuleOOMKill, "no further kill for %v", oomResolves)
}
