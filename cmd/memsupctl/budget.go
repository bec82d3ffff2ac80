package main

import (
	"fmt"
	"time"

	"github.com/memsup/memsup/internal/service"
)

func seconds(s float64) string { return span(time.Duration(s * float64(time.Second))) }

// budget says how often memsupd restarted the service, may still do so, and how
// the last restart went.
func (c *command) budget(b *block, r service.RestartStatus) {
	b.line("Restarts", "%d of %d within %s, %d in all", r.Used, r.Max, span(r.Window), r.Total)
	if r.CooldownUntil != nil {
		b.line("", "cool-down until %s (%s left)",
			r.CooldownUntil.In(c.now.Location()).Format("15:04:05"), span(r.CooldownUntil.Sub(c.now)))
	}
	if r.GaveUp {
		b.line("", "memsupd gave up; memsupctl restart begins anew")
	}
	last := r.Last
	if last == nil {
		return
	}
	detail := ""
	if last.Detail != "" {
		detail = ": " + clean(last.Detail)
	}
	b.line("Last", "%s in %s, %s ago, by %s%s", clean(string(last.Outcome)), took(last.Took), c.age(last.Ended.Wall), clean(last.By), detail)
	b.line("", "%s", clean(last.Reason))
}

func (c *command) troubles(b *block, st service.Status) {
	if len(st.Alerts) == 0 {
		b.line("Alerts", "none")
	}
	for i, a := range st.Alerts {
		label := ""
		if i == 0 {
			label = "Alerts"
		}
		b.line(label, "%s %s for %s: %s", c.severity(a.Severity), clean(a.Rule), c.age(a.Since.Wall), clean(a.Message))
		for _, v := range a.Victims {
			b.line("", "  killed: %s", fmt.Sprintf("%s, pid %d, uid %d", clean(v.Comm), v.PID, v.UID))
		}
		if a.Waiting != "" {
			b.line("", "  %s", clean(a.Waiting))
		}
	}
}
