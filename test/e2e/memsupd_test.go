//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/memsup/memsup/internal/service"
)

const socket = "/run/memsupd/memsupd.sock"

var api = http.Client{Transport: &http.Transport{
	DisableKeepAlives: true,
	DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	},
}}

// startMemsupd gives memsupd a configuration, and an empty past, and starts it.
func startMemsupd(t testing.TB, config string) {
	t.Helper()
	begin(t)
	configure(t, config)
	if err := os.RemoveAll("/var/lib/memsupd"); err != nil {
		t.Fatal(err)
	}
	run(t, "systemctl", "start", "memsupd")
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("memsupd's log:\n%s", journal(t, "memsupd"))
			out, _ := try(t, "memsupctl", "status")
			t.Logf("memsupctl status:\n%s", out)
		}
		run(t, "systemctl", "stop", "memsupd", "memsupd.socket")
		_, _ = try(t, "systemctl", "reset-failed", "memsupd")
	})
}

func configure(t testing.TB, config string) {
	t.Helper()
	write(t, "/etc/memsupd/memsupd.yaml", config)
}

// adopt is the configuration of a service that runs as the unit of n, sampled each
// second if nothing else is said. more are lines of its own.
func adopt(n *node, more ...string) string {
	s := fmt.Sprintf("  %s:\n    unit: %s\n", n.name, n.unit)
	if !slices.ContainsFunc(more, func(l string) bool { return strings.HasPrefix(l, "interval:") }) {
		more = append([]string{"interval: 1s"}, more...)
	}
	for _, line := range more {
		s += "    " + line + "\n"
	}
	return s
}

func services(of ...string) string { return "services:\n" + strings.Join(of, "") }

func ask(t testing.TB, method, path string, into any) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://localhost"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := api.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	if into != nil {
		if err := json.Unmarshal(body, into); err != nil {
			t.Fatalf("%s %s: %v in %s", method, path, err, body)
		}
	}
	return resp.StatusCode
}

func status(t testing.TB, name string) service.Status {
	t.Helper()
	var st service.Status
	if code := ask(t, http.MethodGet, "/metrics/"+name, &st); code != http.StatusOK {
		t.Fatalf("GET /metrics/%s: %d", name, code)
	}
	return st
}

func alerts(t testing.TB) []service.Alert {
	t.Helper()
	var as []service.Alert
	if code := ask(t, http.MethodGet, "/alerts", &as); code != http.StatusOK {
		t.Fatalf("GET /alerts: %d", code)
	}
	return as
}

// waitStatus waits until the status of a service is as wanted, and returns it.
func waitStatus(t testing.TB, name, what string, ok func(service.Status) bool) service.Status {
	t.Helper()
	var st service.Status
	eventually(t, name+": "+what, func() (string, bool) {
		st = status(t, name)
		b, err := json.Marshal(st)
		if err != nil {
			t.Fatal(err)
		}
		return string(b), ok(st)
	})
	return st
}

func supervised(t testing.TB, n *node) service.Status {
	t.Helper()
	return waitStatus(t, n.name, "is supervised", func(s service.Status) bool {
		return s.Phase == service.Running && s.Sample != nil
	})
}

// waitAlert waits until a rule fires for a service.
func waitAlert(t testing.TB, name, rule string) service.Alert {
	t.Helper()
	var found service.Alert
	eventually(t, rule+" for "+name, func() (string, bool) {
		as := alerts(t)
		for _, a := range as {
			if a.Service == name && a.Rule == rule {
				found = a
				return "", true
			}
		}
		return fmt.Sprint(as), false
	})
	return found
}

// restarts waits until memsupd has restarted a service n times.
func restarts(t testing.TB, name string, n uint64) service.Status {
	t.Helper()
	return waitStatus(t, name, fmt.Sprintf("restart %d has ended", n), func(s service.Status) bool {
		return s.Restarts.Total >= n && s.Action == nil && s.Restarts.Last != nil && s.Restarts.Last.Outcome == service.Succeeded
	})
}

// quiet watches for a while that something stays as it is.
func quiet(t testing.TB, d time.Duration, what string, ok func() (string, bool)) {
	t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if seen, still := ok(); !still {
			t.Fatalf("%s: no longer so: %s", what, seen)
		}
	}
}
