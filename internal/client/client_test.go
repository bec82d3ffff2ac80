package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/memsup/memsup/internal/service"
)

// connect returns a client of a server on loopback that answers with h.
func connect(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	c, err := New(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func answer(w http.ResponseWriter, status int, mediaType, body string) {
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(status)
	fmt.Fprint(w, body)
}

func TestParseAddress(t *testing.T) {
	unix := func(path string) address { return address{"unix", path, "http://localhost"} }
	for in, want := range map[string]address{
		DefaultAddress:                 unix("/run/memsupd/memsupd.sock"),
		"unix:/run/s":                  unix("/run/s"),
		"unix:///run/s":                unix("/run/s"),
		"http://127.0.0.1:3007":        {"tcp", "127.0.0.1:3007", "http://127.0.0.1:3007"},
		"http://localhost:3007/":       {"tcp", "localhost:3007", "http://localhost:3007"},
		"http://[::1]:3007":            {"tcp", "[::1]:3007", "http://[::1]:3007"},
		"/" + strings.Repeat("x", 106): unix("/" + strings.Repeat("x", 106)),
	} {
		if got, err := parseAddress(in); err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", "memsupd.sock", "unix:", "unix:run/s", "127.0.0.1:3007", "http://127.0.0.1", "https://127.0.0.1:3007", "http://:3007",
		"http://127.0.0.1:3007/metrics", "http://u:p@127.0.0.1:3007", "http://127.0.0.1:3007?x", "http://127.0.0.1:3007#x",
		"http://127.0.0.1:30x7", "/" + strings.Repeat("x", 107),
	} {
		if got, err := parseAddress(in); err == nil {
			t.Errorf("%q: %v, want an error", in, got)
		}
	}
}

func TestProblem(t *testing.T) {
	kinds := map[int]error{
		http.StatusForbidden:           fs.ErrPermission,
		http.StatusNotFound:            service.ErrUnknown,
		http.StatusConflict:            service.ErrBusy,
		http.StatusUnprocessableEntity: service.ErrUnavailable,
	}
	for _, status := range append(slices.Collect(maps.Keys(kinds)), http.StatusServiceUnavailable) {
		c := connect(t, func(w http.ResponseWriter, _ *http.Request) {
			answer(w, status, "application/problem+json; charset=utf-8", `{"type":"about:blank","title":"T","status":999,"detail":"D"}`)
		})
		_, err := c.Restart(t.Context(), "api-server", "")
		var p *Problem
		if !errors.As(err, &p) || *p != (Problem{Status: status, Title: "T", Detail: "D"}) || err.Error() != "D" {
			t.Errorf("%d: %#v", status, err)
		}
		for of, kind := range kinds {
			if errors.Is(err, kind) != (of == status) {
				t.Errorf("%d is %v: %v", status, kind, errors.Is(err, kind))
			}
		}
	}
}

func TestAnswersThatAreNotMemsupds(t *testing.T) {
	for name, tc := range map[string]struct {
		h    http.HandlerFunc
		want string
	}{
		"HTML":       {func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, "text/html", "<p>") }, "not memsupd's API (status 200"},
		"no type":    {func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, "", "") }, "not memsupd's API"},
		"bad JSON":   {func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, "application/json", "[") }, "read the answer"},
		"other JSON": {func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, "application/json", `{}`) }, "read the answer"},
		"502":        {func(w http.ResponseWriter, _ *http.Request) { answer(w, 502, "application/json", `[]`) }, "status 502"},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/alerts" {
				answer(w, 200, "application/json", "[]")
				return
			}
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		}, "status 302"},
		"bad problem": {func(w http.ResponseWriter, _ *http.Request) { answer(w, 404, "application/problem+json", `{`) }, "read the problem"},
		"huge problem": {func(w http.ResponseWriter, _ *http.Request) {
			answer(w, 404, "application/problem+json", strings.Repeat(" ", maxProblem+1))
		}, "too large"},
		"endless": {endless, "too large"},
		"cut off": {cutOff, "cannot be reached"},
		"huge headers": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", maxHeader))
			answer(w, 200, "application/json", "[]")
		}, "cannot be reached"},
		"hangs up": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "cannot be reached"},
		"compressed": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			answer(w, 200, "application/json", "\x1f\x8b")
		}, "read the answer"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := connect(t, tc.h).Alerts(t.Context())
			if err == nil || !strings.Contains(err.Error(), tc.want) || len(err.Error()) > 500 {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
			var p *Problem
			if errors.As(err, &p) {
				t.Errorf("taken for memsupd's own refusal: %#v", p)
			}
		})
	}
}

// endless answers until the client has had enough.
func endless(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	chunk := []byte(strings.Repeat(" ", 64<<10))
	for {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

func cutOff(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100")
	answer(w, 200, "application/json", "[")
}

func TestUnreachable(t *testing.T) {
	for _, where := range []string{"/nonexistent/s", "http://127.0.0.1:1"} {
		c, err := New(where)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Health(t.Context())
		if !errors.Is(err, ErrUnreachable) || !strings.HasSuffix(err.Error(), "is memsupd running? systemctl status memsupd") || strings.Count(err.Error(), c.address.where) != 1 {
			t.Errorf("%s: %v", where, err)
		}
	}
}

// silent is a memsupd that never answers.
type silent struct{}

func (silent) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// mute is a memsupd that says that it answers and then does not go on.
type mute struct{}

func (mute) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(wait{r.Context()})}, nil
}

type wait struct{ ctx context.Context }

func (w wait) Read([]byte) (int, error) {
	<-w.ctx.Done()
	return 0, w.ctx.Err()
}

func TestTimeLimits(t *testing.T) {
	for _, server := range []http.RoundTripper{silent{}, mute{}} {
		for name, tc := range map[string]struct {
			limit time.Duration
			ask   func(context.Context, *Client) error
		}{
			"reading":    {10 * time.Second, func(ctx context.Context, c *Client) error { _, err := c.Service(ctx, "api-server"); return err }},
			"restarting": {6 * time.Minute, func(ctx context.Context, c *Client) error { _, err := c.Restart(ctx, "api-server", ""); return err }},
		} {
			synctest.Test(t, func(t *testing.T) {
				c, err := New(DefaultAddress)
				if err != nil {
					t.Fatal(err)
				}
				c.http.Transport = server
				began := time.Now()
				err = tc.ask(t.Context(), c)
				if !errors.Is(err, ErrUnreachable) || !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != tc.limit {
					t.Errorf("%s, %T: after %v: %v", name, server, time.Since(began), err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				if err := tc.ask(ctx, c); errors.Is(err, ErrUnreachable) || !errors.Is(err, context.Canceled) {
					t.Errorf("%s, %T, given up: %v", name, server, err)
				}
			})
		}
	}
}

func TestRestartThatGoesOn(t *testing.T) {
	var body, media string
	c := connect(t, func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		body, media = string(b), r.Header.Get("Content-Type")
		answer(w, http.StatusAccepted, "application/json", `{"id":"api-server/restart/7","service":"api-server"}`)
	})
	r, err := c.Restart(t.Context(), "api-server", "new build")
	if err != nil || r.Value.Outcome != "" || r.Value.ID != "api-server/restart/7" {
		t.Errorf("%+v, %v", r.Value, err)
	}
	if body != `{"reason":"new build"}` || media != "application/json" {
		t.Errorf("sent %q as %q", body, media)
	}
	if _, err := c.Restart(t.Context(), "api-server", ""); err != nil || body != "" || media != "" {
		t.Errorf("without a reason: sent %q as %q, %v", body, media, err)
	}
}

// The name of a service can lead to nothing but that service.
func TestNamesStayNames(t *testing.T) {
	var path string
	c := connect(t, func(w http.ResponseWriter, r *http.Request) {
		path = r.RequestURI
		answer(w, 404, "application/problem+json", `{}`)
	})
	for name, want := range map[string]string{
		"api-server": "/metrics/api-server", "a/../b": "/metrics/a%2F..%2Fb", "a?b#c": "/metrics/a%3Fb%23c", "\r\nX: y": "/metrics/%0D%0AX:%20y",
	} {
		if _, err := c.Service(t.Context(), name); !errors.Is(err, service.ErrUnknown) || path != want {
			t.Errorf("%q: asked for %s, want %s: %v", name, path, want, err)
		}
	}
}
