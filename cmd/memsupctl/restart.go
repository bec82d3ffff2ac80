package main

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/spf13/cobra"

	contract "github.com/memsup/memsup/api"
	"github.com/memsup/memsup/internal/client"
	"github.com/memsup/memsup/internal/service"
)

func (c *command) restart(ctx context.Context) *cobra.Command {
	var reason string
	restart := c.request(ctx, func(ctx context.Context, memsupd *client.Client, args []string) error {
		return c.doRestart(ctx, memsupd, args[0], reason)
	})
	cmd := &cobra.Command{
		Use:   "restart SERVICE",
		Short: "Restart a service gracefully and wait until it is back",
		Long: `Restart a service gracefully and wait until it is back, for up to five minutes.

It needs root or the group memsup. It is done even where memsupd gave up, and
gives memsupd its restarts back.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.completeServices,
		RunE: func(cmd *cobra.Command, args []string) error {
			if utf8.RuneCountInString(reason) > contract.MaxReason {
				return fmt.Errorf("the reason is longer than %d characters", contract.MaxReason)
			}
			return restart(cmd, args)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the record")
	return cmd
}

func (c *command) doRestart(ctx context.Context, memsupd *client.Client, name, reason string) error {
	before := mainPID(ctx, memsupd, name)
	answer, err := memsupd.Restart(ctx, name, reason)
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("interrupted; a restart that had begun goes on: memsupctl status %s", name)
	}
	if errors.Is(err, client.ErrUnreachable) {
		return fmt.Errorf("restart %s: %w; a restart that had begun goes on", name, err)
	}
	if err != nil {
		return err
	}
	if c.json {
		c.printJSON(answer.JSON)
	}
	return c.restarted(ctx, memsupd, answer.Value, before)
}

// restarted says how a restart ended; the error is of one that did not succeed.
func (c *command) restarted(ctx context.Context, memsupd *client.Client, r service.ActionRecord, before int) error {
	why := ""
	if r.Detail != "" {
		why = ": " + r.Detail
	}
	switch r.Outcome {
	case service.Succeeded:
		if c.json {
			return nil
		}
		line := fmt.Sprintf("%s restarted in %s%s", clean(r.Service), took(r.Took), clean(why))
		if after := mainPID(ctx, memsupd, r.Service); before != 0 && after != 0 && before != after {
			line += fmt.Sprintf(": main pid %d became %d", before, after)
		}
		fmt.Fprintln(c.out, line)
		return nil
	case service.Unfinished:
		return fmt.Errorf("the restart of %s failed after %s%s", r.Service, took(r.Took), why)
	case service.NotStarted:
		return fmt.Errorf("%s was not restarted%s", r.Service, why)
	case service.Skipped:
		return fmt.Errorf("%s was not restarted, there was nothing to do%s", r.Service, why)
	case "":
		return fmt.Errorf("the restart of %s has not ended yet and goes on: memsupctl status %s", r.Service, r.Service)
	default:
		return fmt.Errorf("the restart of %s ended as %q%s", r.Service, r.Outcome, why)
	}
}

// mainPID returns the main process of a service, or 0 when memsupd cannot say. The
// record of a restart does not have it, and a restart does not depend on it: what is
// wrong here, the restart itself will meet and report.
func mainPID(ctx context.Context, memsupd *client.Client, name string) int {
	answer, err := memsupd.Service(ctx, name)
	if err != nil {
		return 0
	}
	return answer.Value.MainPID
}
