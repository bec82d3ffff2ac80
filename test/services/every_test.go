package services_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"syscall"
	"testing"
)

// What the five have in common.
func TestEvery(t *testing.T) {
	for _, name := range []string{"api-server", "cache-warmer", "nlp-queue", "pricing", "websocket"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, name)
			h := get[struct {
				Ok     bool
				Name   string
				Uptime float64
			}](p, "/healthz")
			if !h.Ok || h.Name != name || h.Uptime <= 0 {
				t.Errorf("/healthz: got %+v", h)
			}
			get[map[string]any](p, "/work")
			p.refused(http.StatusNotFound, "no GET /nowhere", "GET", "/nowhere", "")
			p.refused(http.StatusNotFound, "no DELETE /work", "DELETE", "/work", "")
			p.refused(http.StatusNotFound, "no GET /__proto__", "GET", "/__proto__", "")
			p.refused(http.StatusBadRequest, "ms: want a whole number from 0 to 120000", "GET", "/slow?ms=120001", "")
			p.refused(http.StatusNotFound, "no POST /trouble", "POST", "/trouble?hold=1G", "")
			endsGracefully(t, p)
		})
	}
}

// endsGracefully stops p with a request in flight.
func endsGracefully(t *testing.T, p *process) {
	silent, err := net.Dial("tcp", p.addr) // nobody waits a minute for its request
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	slow := p.begin("/slow?ms=500")
	p.signal(syscall.SIGTERM)
	p.awaitLine(`SIGTERM received, 1 in-flight`)
	if c, err := net.Dial("tcp", p.addr); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a new connection while draining: got %v, %v", c, err)
	}
	p.signal(syscall.SIGTERM) // once more changes nothing
	resp := <-slow
	if resp.err != nil || resp.status != http.StatusOK || !resp.closes {
		t.Errorf("the request in flight: got %+v", resp)
	}
	if code := p.exit(); code != 0 || !strings.Contains(p.said(), "drained 1 in-flight") {
		t.Errorf("got exit code %d", code)
	}
}

type response struct {
	status int
	closes bool // the server said that the connection ends with this
	err    error
}

// begin sends a GET and returns once the service has it in hand: with Expect, it says
// so by a 100 Continue.
func (p *process) begin(path string) <-chan response {
	p.t.Helper()
	inHand, end := make(chan struct{}), make(chan response, 1)
	ctx := httptrace.WithClientTrace(p.t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(int, textproto.MIMEHeader) error { close(inHand); return nil },
	})
	go func() { end <- expect(ctx, "http://"+p.addr+path) }()
	select {
	case <-inHand:
	case r := <-end:
		p.t.Fatalf("%s: ended at once: %+v", path, r)
	}
	return end
}

func expect(ctx context.Context, url string) response {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return response{err: err}
	}
	req.Header.Set("Expect", "100-continue")
	resp, err := client.Do(req)
	if err != nil {
		return response{err: err}
	}
	return response{status: resp.StatusCode, closes: resp.Close, err: resp.Body.Close()}
}

func TestAPortInUse(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	p := run(t, "pricing", "PORT="+port)
	if code, want := p.exit(), "pricing: listen EADDRINUSE: address already in use "+l.Addr().String()+"; PORT= takes another\n"; code != 1 || p.said() != want {
		t.Errorf("got exit code %d and %q, want 1 and %q", code, p.said(), want)
	}
}
