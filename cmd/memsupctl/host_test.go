package main

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/memsup/memsup/internal/api"
	"github.com/memsup/memsup/internal/service"
)

// memsupd is what the API of a test shows; behind it is the real server.
type memsupd struct {
	services []service.Status
	recent   []service.Point
	health   service.Health
	restart  func(ctx context.Context, name, by string) (service.ActionRecord, error)
}

func (m *memsupd) Services() []service.Status { return m.services }

func (m *memsupd) Service(name string) (service.Status, bool) {
	for _, st := range m.services {
		if st.Name == name {
			return st, true
		}
	}
	return service.Status{}, false
}

func (m *memsupd) Alerts() []service.Alert {
	var all []service.Alert
	for _, st := range m.services {
		all = append(all, st.Alerts...)
	}
	return all
}

func (m *memsupd) Recent(string) []service.Point { return m.recent }
func (m *memsupd) Health() service.Health        { return m.health }

func (m *memsupd) Restart(ctx context.Context, name, by string) (service.ActionRecord, error) {
	return m.restart(ctx, name, by)
}

// everybody may do everything.
type everybody struct{}

func (everybody) Account(uint32, string) (string, bool, error) { return "ada", true, nil }

// serve runs the API on a unix socket and on TCP until the test ends, and returns
// where. procNet is as in [api.Options].
func serve(t *testing.T, m *memsupd, procNet string) (socket, address string) {
	t.Helper()
	if m.health.Status == "" {
		m.health = service.Health{Status: "ok", Version: "v1.2.3", Since: ago(time.Hour)}
	}
	socket = socketPath(t)
	unix, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- api.New(api.Options{Source: m, Operator: m, Accounts: everybody{}, ProcNet: procNet}).Serve(ctx, unix, tcp)
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return socket, "http://" + tcp.Addr().String()
}

// serveRaw runs a handler that is not memsupd's on a unix socket.
func serveRaw(t *testing.T, h http.HandlerFunc) (socket string) {
	t.Helper()
	socket = socketPath(t)
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	return socket
}

// socketPath returns a path that is short enough for a socket, whatever the test
// is called.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ctl")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return filepath.Join(dir, "s")
}

// ctl runs memsupctl against an address.
func ctl(t *testing.T, address string, args ...string) (code int, out, errs string) {
	t.Helper()
	return ctlWith(t, &command{}, address, args...)
}

func ctlWith(t *testing.T, c *command, address string, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	c.out, c.errs, c.now = &o, &e, now
	code = c.run(t.Context(), append([]string{"--address", address}, args...))
	return code, o.String(), e.String()
}
