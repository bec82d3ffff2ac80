package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/memsup/memsup/internal/service"
	"github.com/memsup/memsup/test/load"
)

const (
	victim     = "pricing"
	victimURL  = "http://127.0.0.1:8082"
	troubleURL = victimURL + "/trouble"
	patience   = 5 * time.Minute
)

var neighbours = map[string]string{
	"cache-warmer": "http://127.0.0.1:8081", "nlp-queue": "http://127.0.0.1:8083",
	"api-server": "http://127.0.0.1:8084", "websocket": "http://127.0.0.1:8085",
}

func install(ctx context.Context) error {
	if err := os.WriteFile("/etc/default/walmart-"+victim, []byte("TROUBLE=1\n"), 0o644); err != nil {
		return fmt.Errorf("let %s misbehave: %w", victim, err)
	}
	for _, c := range []string{
		"install -Dm755 bin/memsupd /usr/sbin/memsupd", "install -Dm755 bin/memsupctl /usr/bin/memsupctl",
		"install -Dm644 contrib/memsupd.yaml /etc/memsupd/memsupd.yaml",
		"mkdir -p /opt/walmart", "cp -r testdata/services /opt/walmart/", "cp -r units/. /etc/systemd/system/",
		"systemctl daemon-reload",
	} {
		args := strings.Fields(c)
		if err := command(ctx, args[0], args[1:]...); err != nil {
			return err
		}
	}
	return nil
}

// look asks for one service as a person's script would.
func look(ctx context.Context, name string) (service.Status, error) {
	out, err := exec.CommandContext(ctx, "memsupctl", "status", name, "--json").Output()
	if err != nil {
		return service.Status{}, fmt.Errorf("memsupctl status %s: %w", name, err)
	}
	var st service.Status
	if err := json.Unmarshal(out, &st); err != nil {
		return service.Status{}, fmt.Errorf("memsupctl status %s: %w", name, err)
	}
	return st, nil
}

// await looks at a service until it is as wanted.
func await(ctx context.Context, name string, wanted func(service.Status) bool) (service.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		st, err := look(ctx, name)
		if err == nil && wanted(st) {
			return st, nil
		}
		select {
		case <-ctx.Done():
			return st, fmt.Errorf("%s: not within %v, last %s: %w", name, patience, st.Phase, errors.Join(ctx.Err(), err))
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func waitRunning(ctx context.Context) error {
	for _, name := range append([]string{victim}, sorted()...) {
		if _, err := await(ctx, name, func(s service.Status) bool { return s.Phase == service.Running && s.Sample != nil }); err != nil {
			return err
		}
	}
	for _, url := range append([]string{victimURL}, urls("")...) {
		if err := awaitServing(ctx, url); err != nil {
			return err
		}
	}
	return nil
}

func awaitServing(ctx context.Context, url string) error {
	for end := time.Now().Add(patience); ; {
		err := get(ctx, url+"/healthz")
		if err == nil {
			return nil
		}
		if time.Now().After(end) {
			return err
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func sorted() []string { return []string{"api-server", "cache-warmer", "nlp-queue", "websocket"} }

func urls(path string) []string {
	var out []string
	for _, name := range sorted() {
		out = append(out, neighbours[name]+path)
	}
	return out
}

// followRestart tells the alert and the restart as they come.
func followRestart(ctx context.Context, before service.Status) error {
	st, err := await(ctx, victim, func(s service.Status) bool { return len(s.Alerts) > 0 })
	if err != nil {
		return err
	}
	a := st.Alerts[len(st.Alerts)-1]
	how := "seen by the schedule"
	if a.LatencyNs > 0 {
		how = fmt.Sprintf("%.1f ms after the kernel's event", float64(a.LatencyNs)/1e6)
	}
	say("%s %s: %s\n          decided %s", strings.ToUpper(string(a.Severity)), a.Rule, a.Message, how)
	st, err = await(ctx, victim, func(s service.Status) bool { return s.Action != nil || s.Restarts.Total > before.Restarts.Total })
	if err != nil {
		return err
	}
	if st.Action != nil {
		say("RESTART, because %s", st.Action.Reason)
	}
	st, err = await(ctx, victim, func(s service.Status) bool {
		return s.Action == nil && s.Restarts.Last != nil && s.Restarts.Total > before.Restarts.Total
	})
	if err != nil {
		return err
	}
	if st.Restarts.Last.Outcome != service.Succeeded || st.MainPID == before.MainPID {
		return fmt.Errorf("the restart ended as %s: %s", st.Restarts.Last.Outcome, st.Restarts.Last.Detail)
	}
	say("Back after %v: main pid %d became %d. Next restart not before the cool-down ends.",
		st.Restarts.Last.Took.Round(time.Millisecond), before.MainPID, st.MainPID)
	return nil
}

func neighboursUntouched(ctx context.Context) error {
	for _, name := range sorted() {
		st, err := look(ctx, name)
		if err != nil {
			return err
		}
		if st.Restarts.Total != 0 || len(st.Alerts) != 0 {
			return fmt.Errorf("%s was touched: %d restarts, %d alerts", name, st.Restarts.Total, len(st.Alerts))
		}
	}
	return nil
}

type underLoad struct {
	all *load.Load
	sum *load.Summary
}

func startLoad(ctx context.Context) (*underLoad, error) {
	all, err := load.Start(ctx, time.Second, append(urls("/work"), victimURL+"/work?n=5")...)
	return &underLoad{all: all}, err
}

func (l *underLoad) stop() load.Summary {
	if l.sum == nil {
		s := l.all.Stop()
		l.sum = &s
	}
	return *l.sum
}

func (l *underLoad) verdict() error {
	s := l.stop()
	say("Requests: %s.", s)
	if s.Dropped > 0 {
		return fmt.Errorf("%d requests were dropped: %w", s.Dropped, s.First)
	}
	return nil
}

func slowRequest(ctx context.Context) <-chan error {
	end := make(chan error, 1)
	go func() { end <- get(ctx, victimURL+"/slow?ms=15000") }()
	return end
}

func get(ctx context.Context, url string) error  { return send(ctx, http.MethodGet, url) }
func post(ctx context.Context, url string) error { return send(ctx, http.MethodPost, url) }

func send(ctx context.Context, method, url string) error {
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", url, resp.Status)
	}
	return err
}

// oomKills counts the kills in the slice of the services, which outlives them.
func oomKills() (int, error) {
	f, err := os.Open("/sys/fs/cgroup/system.slice/memory.events")
	if err != nil {
		return 0, err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if n, ok := strings.CutPrefix(lines.Text(), "oom_kill "); ok {
			return strconv.Atoi(n)
		}
	}
	return 0, errors.New("no oom_kill in memory.events of system.slice")
}
