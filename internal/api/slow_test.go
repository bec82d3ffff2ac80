package api

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/memsup/memsup/internal/service"
)

// pipes is a listener of connections in memory, whose time is virtual.
type pipes struct {
	dialled chan net.Conn
	closed  chan struct{}
	close   func()
}

func newPipes() *pipes {
	p := &pipes{dialled: make(chan net.Conn), closed: make(chan struct{})}
	p.close = sync.OnceFunc(func() { close(p.closed) })
	return p
}

// dial waits until the connection is accepted.
func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.dialled <- server
	return client
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.dialled:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.close(); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

// virtual runs a test of a server in virtual time. Restarts are asked for by a
// tester: a pipe has no user.
func virtual(t *testing.T, l *line, test func(p *pipes, stop func() error)) {
	synctest.Test(t, func(t *testing.T) {
		s := New(open(l))
		checked := s.handler
		s.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				r.SetPathValue("service", "api-server")
				s.restart(w, r, "tester")
				return
			}
			checked.ServeHTTP(w, r)
		})
		ctx, cancel := context.WithCancel(t.Context())
		p, done := newPipes(), make(chan error, 1)
		go func() { done <- s.Serve(ctx, p) }()
		stop := sync.OnceValue(func() error { cancel(); return <-done })
		test(p, stop)
		if err := stop(); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
}

const (
	askHealth  = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
	askRestart = "POST /restart/api-server HTTP/1.1\r\nHost: localhost\r\n"
)

// send writes the beginning of a request.
func send(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// dropped waits until the server closes the connection and returns what it said.
func dropped(t *testing.T, c net.Conn) string {
	t.Helper()
	said, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	return string(said)
}

func TestSlowClientsAreDropped(t *testing.T) {
	for name, tc := range map[string]struct {
		sends string
		after time.Duration
		says  string
	}{
		"says nothing":     {"", headerTimeout, ""},
		"stops in headers": {"GET /health HTTP/1.1\r\nHost:", headerTimeout, ""},
		"stops in a body":  {askRestart + "Content-Length: 9\r\n\r\n{", readTimeout, "400 Bad Request"},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, both(), func(p *pipes, _ func() error) {
				c := p.dial()
				begin := time.Now()
				send(t, c, tc.sends)
				said := dropped(t, c)
				if took := time.Since(begin); took < tc.after || took > tc.after+time.Second {
					t.Errorf("dropped after %v, want %v", took, tc.after)
				}
				if !strings.Contains(said, tc.says) || tc.says == "" && said != "" {
					t.Errorf("said %q, want %q", said, tc.says)
				}
			})
		})
	}
}

func TestIdleClientIsDropped(t *testing.T) {
	virtual(t, both(), func(p *pipes, _ func() error) {
		c := p.dial()
		send(t, c, askHealth)
		begin := time.Now()
		if said := dropped(t, c); !strings.Contains(said, "200 OK") || time.Since(begin) != idleTimeout {
			t.Errorf("after %v: %q", time.Since(begin), said)
		}
	})
}

func TestClientThatDoesNotReadIsDropped(t *testing.T) {
	virtual(t, both(), func(p *pipes, _ func() error) {
		c := p.dial()
		send(t, c, askHealth)
		time.Sleep(writeTimeout + time.Second) // virtual: the server's own time passes
		if said := dropped(t, c); strings.Contains(said, "\r\n\r\n{") {
			t.Errorf("kept the answer of one that did not read: %q", said)
		}
	})
}

// A restart may take much longer than other requests; the client that waits for
// it is not cut off, and is told in the end that it goes on.
func TestRestartIsWaitedForPatiently(t *testing.T) {
	l := both()
	l.restarts = func(ctx context.Context) (service.ActionRecord, error) {
		<-ctx.Done()
		return service.ActionRecord{Action: ended().Action}, ctx.Err()
	}
	for _, body := range []string{"\r\n", "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"} {
		virtual(t, l, func(p *pipes, _ func() error) {
			c := p.dial()
			begin := time.Now()
			send(t, c, askRestart+body)
			response, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != http.StatusAccepted || time.Since(begin) != restartPatience {
				t.Errorf("%s after %v, want 202 after %v", response.Status, time.Since(begin), restartPatience)
			}
			c.Close()
		})
	}
}

// Nobody waits any longer: the operator hears of it.
func TestClientThatLeavesEndsTheWaiting(t *testing.T) {
	l := both()
	virtual(t, l, func(p *pipes, _ func() error) {
		left := make(chan error, 1)
		l.restarts = func(ctx context.Context) (service.ActionRecord, error) {
			<-ctx.Done()
			left <- ctx.Err()
			return service.ActionRecord{Action: ended().Action}, ctx.Err()
		}
		c := p.dial()
		send(t, c, askRestart+"\r\n")
		synctest.Wait()
		c.Close()
		synctest.Wait()
		select {
		case err := <-left:
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		default:
			t.Error("it still waits")
		}
	})
}

func TestStoppingIsBounded(t *testing.T) {
	l := both()
	virtual(t, l, func(p *pipes, stop func() error) {
		stuck := make(chan struct{})
		l.restarts = func(context.Context) (service.ActionRecord, error) { <-stuck; return ended(), nil }
		quiet, busy := p.dial(), p.dial()
		send(t, busy, askRestart+"\r\n")
		synctest.Wait()
		begin := time.Now()
		if err := stop(); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took > shutdownTimeout {
			t.Errorf("took %v, want at most %v", took, shutdownTimeout)
		}
		for _, c := range []net.Conn{quiet, busy} {
			if said := dropped(t, c); said != "" {
				t.Errorf("said %q", said)
			}
		}
		close(stuck)
	})
}
