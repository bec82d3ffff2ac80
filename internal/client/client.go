package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"

	contract "github.com/memsup/memsup/api"
)

// Bounds of a request.
const (
	dialTimeout = 3 * time.Second
	readTimeout = 10 * time.Second
	// restartTimeout is longer than memsupd waits for the end of a restart (five
	// minutes) before it answers that it goes on.
	restartTimeout = 6 * time.Minute

	maxHeader  = 64 << 10
	maxAnswer  = 16 << 20 // hundreds of services, each with all of its alerts
	maxProblem = 64 << 10
)

// Client asks one memsupd. It may be used by several goroutines.
type Client struct {
	address address
	http    *http.Client
}

// Answer is what memsupd said: the value, and the JSON that it came as.
type Answer[T any] struct {
	Value T
	JSON  []byte
}

// New returns a client of the memsupd at an address: the absolute path of a unix
// socket, or http://HOST:PORT. It does not connect yet.
func New(where string) (*Client, error) {
	a, err := parseAddress(where)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{Timeout: dialTimeout}
	return &Client{address: a, http: &http.Client{
		Transport: &http.Transport{ // no proxy: memsupd is on this host
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return dialer.DialContext(ctx, a.network, a.where)
			},
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: maxHeader,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// ask makes a request and decodes an answer of one of the given statuses, which it
// returns. Whatever else comes back is an error: a [*Problem] when memsupd says
// what is wrong.
func ask[T any](ctx context.Context, c *Client, method, path string, body []byte, expected ...int) (Answer[T], int, error) {
	var out Answer[T]
	fail := func(err error) (Answer[T], int, error) {
		return out, 0, fmt.Errorf("%s %s: %w", method, path, err)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.address.base+path, bytes.NewReader(body))
	if err != nil {
		return fail(err)
	}
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return out, 0, c.unreachable(ctx, err)
	}
	answer, err := read(resp, maxAnswer)
	switch {
	case errors.Is(err, errTooLarge):
		return fail(err)
	case err != nil:
		return out, 0, c.unreachable(ctx, err)
	}
	media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case err == nil && media == "application/problem+json":
		if len(answer) > maxProblem {
			return fail(errTooLarge)
		}
		var p contract.Problem
		if err := json.Unmarshal(answer, &p); err != nil {
			return fail(fmt.Errorf("read the problem that memsupd has: %w", err))
		}
		return out, 0, &Problem{Status: resp.StatusCode, Title: p.Title, Detail: p.Detail}
	case err != nil || media != "application/json" || !slices.Contains(expected, resp.StatusCode):
		return fail(fmt.Errorf("what answered is not memsupd's API (status %d, type %.70q): is %s the right address?",
			resp.StatusCode, resp.Header.Get("Content-Type"), c.address.where))
	}
	if err := json.Unmarshal(answer, &out.Value); err != nil {
		return fail(fmt.Errorf("read the answer: %w", err))
	}
	out.JSON = answer
	return out, resp.StatusCode, nil
}

var errTooLarge = errors.New("the answer is too large for one of memsupd")

// read reads the body of an answer of at most most bytes.
func read(resp *http.Response, most int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	err = errors.Join(err, resp.Body.Close())
	if int64(len(b)) > most {
		return nil, fmt.Errorf("%w: over %d bytes", errTooLarge, most)
	}
	return b, err
}

// unreachable makes one error of the ways in which no answer came. A caller who
// gave up is told just that.
func (c *Client) unreachable(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("wait for memsupd: %w", ctx.Err())
	}
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err // without the URL, whose host means nothing on a socket
	}
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		err = dial.Err // without the address, which is said once
	}
	return fmt.Errorf("%w at %s (%w): is memsupd running? systemctl status memsupd", ErrUnreachable, c.address.where, err)
}
