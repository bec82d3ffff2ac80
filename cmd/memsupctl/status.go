package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/memsup/memsup/internal/client"
	"github.com/memsup/memsup/internal/limit"
	"github.com/memsup/memsup/internal/service"
)

func (c *command) status(ctx context.Context) *cobra.Command {
	return &cobra.Command{
		Use:   "status [SERVICE]",
		Short: "Show every service, or all there is to say about one",
		Long: `Show every service, or all there is to say about one.

USED is the working set: memory.current less the file pages that reclaim can drop
for nothing. USE % is of MAX, and the marks are held against it. CURRENT is
memory.current. PRESSURE % is the share of the last 10 seconds in which some
process waited for memory. RESTARTS are memsupd's own, of those it may make.`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: c.completeServices,
		RunE: c.request(ctx, func(ctx context.Context, memsupd *client.Client, args []string) error {
			if len(args) == 1 {
				return c.showService(ctx, memsupd, args[0])
			}
			return c.showServices(ctx, memsupd)
		}),
	}
}

func (c *command) showServices(ctx context.Context, memsupd *client.Client) error {
	answer, err := memsupd.Services(ctx)
	if err != nil {
		return err
	}
	if c.json {
		c.printJSON(answer.JSON)
		return nil
	}
	if len(answer.Value.Services) == 0 {
		fmt.Fprintln(c.out, "no services")
		c.footer(ctx, memsupd)
		return nil
	}
	t := table{columns: []column{
		{"SERVICE", false}, {"PHASE", false}, {"USED", true}, {"CURRENT", true}, {"MAX", true},
		{"USE %", true}, {"PRESSURE %", true}, {"RESTARTS", true}, {"ALERTS", false},
	}}
	for _, st := range answer.Value.Services {
		t.add(c.row(st)...)
	}
	t.print(c.out)
	c.footer(ctx, memsupd)
	return nil
}

// row is a service's line in the table.
func (c *command) row(st service.Status) []string {
	used, current, percent, pressure := none, none, none, none
	if s := st.Sample; s != nil {
		used, current = limit.Humanize(s.WorkingSet), limit.Humanize(s.Current)
		if p, ok := use(s, st.Limits.Max); ok {
			percent = fmt.Sprintf("%.1f", p)
		}
		if s.Pressure != nil {
			pressure = fmt.Sprintf("%.1f", s.Pressure.Some.Avg10)
		}
	}
	return []string{
		clean(st.Name), clean(string(st.Phase)), used, current, size(st.Limits.Max, none), percent, pressure,
		fmt.Sprintf("%d/%d", st.Restarts.Used, st.Restarts.Max), c.worst(st.Alerts),
	}
}

// worst names the first alert, which is the most severe, and counts the others.
func (c *command) worst(alerts []service.Alert) string {
	if len(alerts) == 0 {
		return none
	}
	text := c.severity(alerts[0].Severity) + " " + clean(alerts[0].Rule)
	if more := len(alerts) - 1; more > 0 {
		text += " +" + strconv.Itoa(more)
	}
	return text
}

// footer says what of memsupd itself is not well, or is missing on this host;
// there is none when all is well.
func (c *command) footer(ctx context.Context, memsupd *client.Client) {
	var notes []string
	note := func(about, text string) {
		for i, line := range lines(text) {
			if i == 0 {
				line = about + ": " + line
			}
			notes = append(notes, line)
		}
	}
	answer, err := memsupd.Health(ctx)
	if err != nil {
		note("how memsupd itself is, is not known", err.Error())
	}
	for _, sub := range answer.Value.Subsystems {
		if !sub.OK {
			note("memsupd is "+clean(answer.Value.Status)+": "+clean(sub.Name), sub.Detail)
		}
	}
	for _, missing := range answer.Value.Missing {
		note("missing on this host", missing)
	}
	if len(notes) > 0 {
		fmt.Fprintln(c.out)
	}
	for _, line := range notes {
		fmt.Fprintln(c.out, line)
	}
}
