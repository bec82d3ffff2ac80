package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/memsup/memsup/internal/service"
)

func seconds(s float64) string { return span(time.Duration(s * float64(time.Second))) }

// budget says how often memsupd restarted the service, may still do so, and how
// the last restart went.
func (c *command) budget(b *block, r service.RestartStatus) {
	if r.Max == 0 {
		b.line("Restarts", "none by itself (maxRestarts: 0), %d in all", r.Total)
	} else {
		b.line("Restarts", "%d of %d within %s, %d in all", r.Used, r.Max, span(r.Window), r.Total)
	}
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
	b.line("Last restart", "%s after %s, %s ago%s", clean(string(last.Outcome)), took(last.Took), c.age(last.Ended.Wall), detail)
	b.line("", "%s", why(last.Action))
}

// why says who had an action done and what for. What an operator asked for says so
// by itself.
func why(a service.Action) string {
	if strings.Contains(a.Reason, a.By) {
		return clean(a.Reason)
	}
	return "by " + clean(a.By) + ": " + clean(a.Reason)
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
