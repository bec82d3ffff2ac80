//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// node is a unit of the test's own that runs one of the real Node services.
type node struct {
	t    testing.TB
	name string // "hog"; the unit is e2e-hog.service
	unit string
	port int
}

var nextPort = 18100

// startNode writes a unit, starts it and waits until it serves. settings are
// lines of its [Service] section; env what tells the program how to behave.
func startNode(t testing.TB, name, program string, settings string, env ...string) *node {
	t.Helper()
	n := newNode(t, name, program, settings, env...)
	run(t, "systemctl", "start", n.unit)
	n.waitReady()
	return n
}

func newNode(t testing.TB, name, program string, settings string, env ...string) *node {
	t.Helper()
	nextPort++
	n := &node{t: t, name: name, unit: "e2e-" + name + ".service", port: nextPort}
	var b strings.Builder
	fmt.Fprintf(&b, "[Service]\nExecStart=/usr/bin/node /opt/walmart/services/%s.js\n", program)
	fmt.Fprintf(&b, "Environment=PORT=%d TROUBLE=1 STILL=1\nOOMPolicy=continue\nTimeoutStopSec=30\n%s\n", n.port, settings)
	for _, e := range env {
		fmt.Fprintf(&b, "Environment=%q\n", e)
	}
	write(t, "/etc/systemd/system/"+n.unit, b.String())
	run(t, "systemctl", "daemon-reload")
	t.Cleanup(func() {
		_, _ = try(t, "systemctl", "stop", n.unit)
		_, _ = try(t, "systemctl", "reset-failed", n.unit)
		for _, p := range []string{"/etc/systemd/system/" + n.unit, "/etc/systemd/system/" + n.unit + ".d"} {
			if err := os.RemoveAll(p); err != nil {
				t.Error(err)
			}
		}
		run(t, "systemctl", "daemon-reload")
	})
	return n
}

func (n *node) url(path string) string { return fmt.Sprintf("http://127.0.0.1:%d%s", n.port, path) }

func (n *node) waitReady() {
	n.t.Helper()
	eventually(n.t, n.unit+" serves", func() (string, bool) {
		body, err := get(n.url("/healthz"))
		return fmt.Sprint(body, err), err == nil
	})
}

// get is a GET that must answer 200.
func get(url string) (string, error) { return request(http.MethodGet, url) }

func request(method, url string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return "", err
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, body)
	}
	return string(body), err
}

// trouble makes the service misbehave: "leak=heap:4M/s".
func (n *node) trouble(query string) {
	n.t.Helper()
	if _, err := request(http.MethodPost, n.url("/trouble?"+query)); err != nil {
		n.t.Fatalf("%s: trouble %s: %v", n.name, query, err)
	}
}

// show returns one property of the unit.
func (n *node) show(property string) string {
	n.t.Helper()
	return strings.TrimSpace(run(n.t, "systemctl", "show", n.unit, "--value", "--property", property))
}

// kernel reads one of the files of the unit's cgroup.
func (n *node) kernel(file string) string {
	n.t.Helper()
	b, err := os.ReadFile(filepath.Join("/sys/fs/cgroup", n.show("ControlGroup"), file))
	if err != nil {
		n.t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// kills counts the OOM kills in the slice, which outlives its units.
func kills(t testing.TB) int {
	t.Helper()
	b, err := os.ReadFile("/sys/fs/cgroup/system.slice/memory.events")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(b), "\n") {
		if n, ok := strings.CutPrefix(line, "oom_kill "); ok {
			v, err := strconv.Atoi(n)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("no oom_kill in %q", b)
	return 0
}

// slow begins a request that the service takes its time for, and returns its end.
func (n *node) slow(d time.Duration) <-chan error {
	end := make(chan error, 1)
	began := make(chan struct{})
	go func() {
		close(began)
		_, err := get(n.url(fmt.Sprintf("/slow?ms=%d", d.Milliseconds())))
		end <- err
	}()
	<-began
	return end
}
