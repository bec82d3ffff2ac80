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
	before, err := memsupd.Service(ctx, name)
	if err != nil {
		return err
	}
	answer, err := memsupd.Restart(ctx, name, reason)
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("interrupted; a restart that had begun goes on: memsupctl status %s", name)
	case errors.Is(err, client.ErrUnreachable):
		return fmt.Errorf("%w; if the restart had begun, it goes on", err)
	case err != nil:
		return err
	case c.json:
		c.printJSON(answer.JSON)
	}
	return c.restarted(ctx, memsupd, answer.Value, before.Value.MainPID)
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
		// The record does not have the new process. The restart has succeeded all
		// the same when memsupd cannot be asked for it any more.
		after, err := memsupd.Service(ctx, r.Service)
		if pid := after.Value.MainPID; err == nil && before != 0 && pid != 0 && pid != before {
			line += fmt.Sprintf(": main pid %d became %d", before, pid)
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
