package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	contract "github.com/memsup/memsup/api"
	"github.com/memsup/memsup/internal/service"
)

// Services returns every service, in the order of the configuration.
func (c *Client) Services(ctx context.Context) (Answer[contract.Services], error) {
	return get[contract.Services](ctx, c, "/metrics", http.StatusOK)
}

// Service returns one service with statistics of its recent past. The error is
// [service.ErrUnknown] when there is no such service.
func (c *Client) Service(ctx context.Context, name string) (Answer[contract.Service], error) {
	return get[contract.Service](ctx, c, "/metrics/"+url.PathEscape(name), http.StatusOK)
}

// Alerts returns the alerts that are firing, the most severe first.
func (c *Client) Alerts(ctx context.Context) (Answer[[]service.Alert], error) {
	return get[[]service.Alert](ctx, c, "/alerts", http.StatusOK)
}

// Health returns how memsupd is; one that supervises nothing any more says so too.
func (c *Client) Health(ctx context.Context) (Answer[service.Health], error) {
	return get[service.Health](ctx, c, "/health", http.StatusOK, http.StatusServiceUnavailable)
}

// Restart restarts a service and waits for the end. A record without an outcome is
// of a restart that goes on after memsupd stopped waiting for it. The error is
// [service.ErrUnknown], [service.ErrBusy], [service.ErrUnavailable] or
// [fs.ErrPermission] when memsupd refused.
func (c *Client) Restart(ctx context.Context, name, reason string) (Answer[service.ActionRecord], error) {
	var body []byte
	if reason != "" {
		var err error
		if body, err = json.Marshal(contract.RestartRequest{Reason: reason}); err != nil {
			return Answer[service.ActionRecord]{}, fmt.Errorf("restart %s: write the reason: %w", name, err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, restartTimeout)
	defer cancel()
	answer, status, err := ask[service.ActionRecord](ctx, c, http.MethodPost, "/restart/"+url.PathEscape(name), body,
		http.StatusOK, http.StatusAccepted)
	if status == http.StatusAccepted {
		answer.Value.Outcome = ""
	}
	return answer, err
}

func get[T any](ctx context.Context, c *Client, path string, expected ...int) (Answer[T], error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	answer, _, err := ask[T](ctx, c, http.MethodGet, path, nil, expected...)
	return answer, err
}
