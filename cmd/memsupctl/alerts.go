package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/memsup/memsup/internal/client"
)

func (c *command) alerts(ctx context.Context) *cobra.Command {
	return &cobra.Command{
		Use:   "alerts",
		Short: "Show what is wrong now, the worst first",
		Args:  cobra.NoArgs,
		RunE: c.request(ctx, func(ctx context.Context, memsupd *client.Client, _ []string) error {
			answer, err := memsupd.Alerts(ctx)
			switch {
			case err != nil:
				return err
			case c.json:
				c.printJSON(answer.JSON)
				return nil
			case len(answer.Value) == 0:
				fmt.Fprintln(c.out, "no alerts")
				return nil
			}
			t := table{columns: []column{{"SEVERITY", false}, {"SERVICE", false}, {"RULE", false}, {"SINCE", true}, {"MESSAGE", false}}}
			for _, a := range answer.Value {
				message := clean(a.Message)
				if a.Waiting != "" {
					message += "; " + clean(a.Waiting)
				}
				t.add(c.severity(a.Severity), clean(a.Service), clean(a.Rule), c.age(a.Since.Wall)+" ago", message)
			}
			t.print(c.out)
			return nil
		}),
	}
}
