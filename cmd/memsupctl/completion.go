package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/memsup/memsup/internal/client"
	"github.com/memsup/memsup/internal/service"
)

// completionTimeout is how long a person who pressed Tab is kept waiting.
const completionTimeout = time.Second

// completeServices asks memsupd for the names of its services.
func (c *command) completeServices(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names, err := c.serviceNames(cmd.Context())
	if err != nil {
		// There is no place for it in the middle of a command line.
		cobra.CompDebugln(err.Error(), false)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (c *command) serviceNames(ctx context.Context) ([]cobra.Completion, error) {
	memsupd, err := client.New(c.address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	answer, err := memsupd.Services(ctx)
	if err != nil {
		return nil, err
	}
	var names []cobra.Completion
	for _, st := range answer.Value.Services {
		if service.CheckName(st.Name) == nil { // the shell is given nothing else
			names = append(names, cobra.CompletionWithDesc(st.Name, clean(string(st.Phase))))
		}
	}
	return names, nil
}
