package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/memsup/memsup/internal/client"
	"github.com/memsup/memsup/internal/limit"
	"github.com/memsup/memsup/internal/service"
)

// block is labelled lines, the labels to the right as systemctl has them.
type block struct{ text strings.Builder }

const labelWidth = 12

// line adds a line; one without a label goes on with the line before.
func (b *block) line(label, format string, args ...any) {
	if label != "" {
		label += ":"
	}
	text := strings.TrimRight(fmt.Sprintf(format, args...), " ")
	fmt.Fprintf(&b.text, "%*s %s\n", labelWidth+1, label, text)
}

// showService prints all there is to say about one service.
func (c *command) showService(ctx context.Context, memsupd *client.Client, name string) error {
	answer, err := memsupd.Service(ctx, name)
	if err != nil {
		return err
	}
	if c.json {
		c.printJSON(answer.JSON)
		return nil
	}
	st := answer.Value.Status
	b := &block{}
	c.identity(b, st)
	c.memory(b, st)
	if rate := answer.Value.Statistics.GrowthRate; rate != nil && st.Sample != nil {
		b.line("Growth", "%+.2f MiB/min over %s", *rate, seconds(answer.Value.Statistics.WindowSeconds))
	}
	c.limits(b, st)
	b.line("OOM kills", "%d", st.OOMKills)
	c.budget(b, st.Restarts)
	c.troubles(b, st)
	fmt.Fprint(c.out, b.text.String())
	return nil
}

func (c *command) identity(b *block, st service.Status) {
	since := ""
	if !st.RunningSince.IsZero() {
		since = " since " + c.when(st.RunningSince)
	}
	fmt.Fprintf(&b.text, "%s: %s%s\n", clean(st.Name), clean(string(st.Phase)), since)
	if st.Detail != "" {
		b.line("", "%s", clean(st.Detail))
	}
	if a := st.Action; a != nil {
		b.line("Action", "%s, for %s now, %s", clean(string(a.Kind)), c.age(a.Started.Wall), why(*a))
	}
	if st.Unit != "" {
		b.line("Unit", "%s", clean(st.Unit))
	}
	b.line("Driver", "%s, mode %s", clean(string(st.Driver)), clean(st.Mode))
	if st.MainPID != 0 {
		b.line("Main PID", "%d", st.MainPID)
	}
	if st.Cgroup != "" {
		b.line("Cgroup", "%s", clean(st.Cgroup))
	}
}

func (c *command) memory(b *block, st service.Status) {
	s := st.Sample
	if s == nil {
		switch st.Phase {
		case service.Starting, service.Running, service.Restarting:
			b.line("Memory", "%s: no sample yet", unknown)
		default:
			b.line("Memory", "%s: it does not run", unknown)
		}
		return
	}
	percent := ""
	if p, ok := use(s, st.Limits.Max); ok {
		percent = fmt.Sprintf(", %.1f %% of max", p)
	}
	b.line("Working set", "%s%s (%s ago)", limit.Humanize(s.WorkingSet), percent, c.age(st.SampledAt))
	b.line("Current", "%s, %s of it inactive file pages", limit.Humanize(s.Current), limit.Humanize(s.InactiveFile))
	b.line("Peak", "%s", amount(s.Peak))
	b.line("Swap", "%s", amount(s.Swap))
	if p := s.Pressure; p != nil {
		b.line("Pressure", "some %s", stall(p.Some))
		b.line("", "full %s", stall(p.Full))
	} else {
		b.line("Pressure", "%s: this kernel does not measure it", unknown)
	}
	b.line("Events", "high %d, max %d, oom %d, oom_kill %d", s.Events.High, s.Events.Max, s.Events.OOM, s.Events.OOMKill)
}

func stall(s service.Stall) string {
	return fmt.Sprintf("%4.1f %% of the last 10 s, %4.1f %% of 60 s, %4.1f %% of 5 min", s.Avg10, s.Avg60, s.Avg300)
}

func (c *command) limits(b *block, st service.Status) {
	l := st.Limits
	if l == (limit.Set{}) {
		b.line("Limits", unknown)
		return
	}
	b.line("Limits", "MemoryMax %s, MemoryHigh %s, MemorySwapMax %s", size(l.Max, unknown), size(l.High, unknown), size(l.SwapMax, unknown))
	b.line("", "MemoryLow %s, MemoryMin %s", size(l.Low, unknown), size(l.Min, unknown))
	if l.Max.IsMax() {
		b.line("Marks", "none, as MemoryMax is max")
		return
	}
	b.line("Marks", "warning %s, critical %s", mark(st.Marks.Warning, l.Max), mark(st.Marks.Critical, l.Max))
}

// mark writes a watermark with what it is of Max.
func mark(v, limitMax limit.Value) string {
	n, marked := v.Bytes()
	most, bounded := limitMax.Bytes()
	if !marked || !bounded || most == 0 {
		return size(v, unknown)
	}
	return fmt.Sprintf("%s (%.0f %%)", limit.Humanize(n), float64(n)/float64(most)*100)
}
