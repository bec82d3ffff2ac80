package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/memsup/memsup/internal/service"
)

// operator is a memsupd whose restarts end with record and err.
func operator(record *service.ActionRecord, err error) *memsupd {
	return &memsupd{services: fleet(), restart: func(context.Context, string, string) (service.ActionRecord, error) {
		return *record, err
	}}
}

func TestRestart(t *testing.T) {
	record := func(o service.Outcome, detail string) *service.ActionRecord {
		return restarted("api-server", o, detail)
	}
	goesOn := record("", "")
	for name, tc := range map[string]struct {
		record *service.ActionRecord
		err    error
		code   int
		out    string
		errs   string
	}{
		"succeeded":   {record(service.Succeeded, ""), nil, exitOK, "api-server restarted in 3.2 s\n", ""},
		"failed":      {record(service.Unfinished, "the unit is failed (exit-code)"), nil, exitFailed, "", "memsupctl: the restart of api-server failed after 3.2 s: the unit is failed (exit-code)\n"},
		"not started": {record(service.NotStarted, "the unit runs on as before"), nil, exitFailed, "", "memsupctl: api-server was not restarted: the unit runs on as before\n"},
		"skipped":     {record(service.Skipped, ""), nil, exitFailed, "", "memsupctl: api-server was not restarted, there was nothing to do\n"},
		"goes on":     {goesOn, context.DeadlineExceeded, exitFailed, "", "memsupctl: the restart of api-server has not ended yet and goes on: memsupctl status api-server\n"},
		"unknown":     {&service.ActionRecord{}, service.ErrUnknown, exitUnknown, "", `memsupctl: no service is called "api-server": GET /metrics lists them, the configuration names them` + "\n"},
		"busy": {&service.ActionRecord{}, fmt.Errorf("api-server: %w: api-server/restart/7 is in progress", service.ErrBusy), exitBusy, "",
			"memsupctl: api-server: an action is in progress: api-server/restart/7 is in progress: try again when it has ended\n"},
		"masked": {&service.ActionRecord{}, fmt.Errorf("api-server: %w: it is masked", service.ErrUnavailable), exitFailed, "",
			"memsupctl: api-server: the service cannot be acted on now: it is masked\n"},
		"going down": {&service.ActionRecord{}, errors.New("memsupd is stopping"), exitFailed, "",
			"memsupctl: the restart of api-server did not begin: memsupd is stopping\n"},
	} {
		t.Run(name, func(t *testing.T) {
			socket, _ := serve(t, operator(tc.record, tc.err), "")
			code, out, errs := ctl(t, socket, "restart", "api-server")
			if code != tc.code || out != tc.out || errs != tc.errs {
				t.Errorf("exit code %d, printed %q, errors %q; want %d, %q, %q", code, out, errs, tc.code, tc.out, tc.errs)
			}
		})
	}
}

func TestRestartSaysWhichProcessFollowedWhich(t *testing.T) {
	m := &memsupd{services: fleet()}
	var by string
	m.restart = func(_ context.Context, name, who string) (service.ActionRecord, error) {
		by = who
		for i := range m.services {
			if m.services[i].Name == name {
				m.services[i].MainPID = 2077
			}
		}
		return *restarted(name, service.Succeeded, ""), nil
	}
	_, address := serve(t, m, "")
	code, out, errs := ctl(t, address, "restart", "api-server", "--reason", `a "new" build`)
	if want := "api-server restarted in 3.2 s: main pid 1412 became 2077\n"; code != exitOK || out != want || errs != "" {
		t.Errorf("exit code %d, printed %q, errors %q; want %q", code, out, errs, want)
	}
	if !strings.HasSuffix(by, `, because "a \"new\" build"`) {
		t.Errorf("the restart is put down to %s", by)
	}
}

func TestNotAllowed(t *testing.T) {
	// Without the kernel's list of connections memsupd cannot tell who asks.
	_, address := serve(t, operator(&service.ActionRecord{}, nil), t.TempDir())
	code, out, errs := ctl(t, address, "restart", "api-server")
	if code != exitNotAllowed || out != "" || !strings.HasPrefix(errs, "memsupctl: memsupd cannot tell who asks") {
		t.Errorf("exit code %d, printed %q, errors %q", code, out, errs)
	}
}

func TestUnknownService(t *testing.T) {
	socket, _ := serve(t, &memsupd{services: fleet()}, "")
	for _, name := range []string{"nope", "API", "a/b", "..", "ü?x#y", ""} {
		for _, command := range []string{"status", "restart"} {
			code, out, errs := ctl(t, socket, command, name)
			if code != exitUnknown || out != "" || !strings.HasPrefix(errs, "memsupctl: ") {
				t.Errorf("%s %q: exit code %d, printed %q, errors %q", command, name, code, out, errs)
			}
		}
	}
}

func TestUnreachable(t *testing.T) {
	silent := socketPath(t)
	for _, args := range [][]string{{"status"}, {"status", "api-server"}, {"alerts"}, {"restart", "api-server"}} {
		code, out, errs := ctl(t, silent, args...)
		if code != exitUnreachable || out != "" || !strings.Contains(errs, "no such file or directory") || !strings.Contains(errs, "systemctl status memsupd") {
			t.Errorf("%v: exit code %d, printed %q, errors %q", args, code, out, errs)
		}
	}
}

func TestUsage(t *testing.T) {
	socket, _ := serve(t, &memsupd{}, "")
	for _, args := range [][]string{
		{"restart"}, {"restart", "a", "b"}, {"status", "a", "b"}, {"alerts", "a"}, {"stop", "a"}, {"status", "--wide"},
		{"status", "--address", "memsupd.sock"}, {"status", "--address", "https://127.0.0.1:3007"}, {"version", "1"},
		{"restart", "api-server", "--reason", strings.Repeat("x", 201)},
	} {
		code, out, errs := ctl(t, socket, args...)
		if code != exitUsage || out != "" || !strings.HasPrefix(errs, "memsupctl: ") {
			t.Errorf("%v: exit code %d, printed %q, errors %q", args, code, out, errs)
		}
	}
}

func TestAddressOfTheEnvironment(t *testing.T) {
	socket, _ := serve(t, &memsupd{}, "")
	t.Setenv("MEMSUP_ADDRESS", socket)
	var out, errs bytes.Buffer
	if code := run([]string{"alerts"}, &out, &errs); code != exitOK || out.String() != "no alerts\n" {
		t.Errorf("exit code %d, printed %q, errors %q", code, &out, &errs)
	}
	out.Reset()
	if code := run([]string{"alerts", "--address", socket + "x"}, &out, &errs); code != exitUnreachable {
		t.Errorf("--address does not go before MEMSUP_ADDRESS: exit code %d, printed %q", code, &out)
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	m := &memsupd{services: fleet()}
	m.restart = func(ctx context.Context, _, _ string) (service.ActionRecord, error) {
		cancel()
		<-ctx.Done()
		return *restarted("api-server", "", ""), ctx.Err()
	}
	socket, _ := serve(t, m, "")
	var out, errs bytes.Buffer
	code := (&command{out: &out, errs: &errs, now: now}).run(ctx, []string{"restart", "api-server", "--address", socket})
	if want := "memsupctl: interrupted; a restart that had begun goes on: memsupctl status api-server\n"; code != exitFailed || errs.String() != want {
		t.Errorf("exit code %d, errors %q; want %q", code, &errs, want)
	}
}

func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	socket, _ := serve(t, &memsupd{services: fleet()}, "")
	for _, args := range [][]string{{"status"}, {"alerts"}, {"status", "--json"}} {
		var errs bytes.Buffer
		code := (&command{out: full, errs: &errs, now: now}).run(t.Context(), append(args, "--address", socket))
		if code != exitFailed || !strings.Contains(errs.String(), "no space left on device") {
			t.Errorf("%v: exit code %d, errors %q", args, code, &errs)
		}
	}
}

func TestNotMemsupd(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"a web page": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") },
		"not JSON": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, "[1, \x1b[2J")
		},
		"other JSON": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"services": 3}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			socket := serveRaw(t, h)
			for _, args := range [][]string{{"status"}, {"status", "--json"}} {
				code, out, errs := ctl(t, socket, args...)
				if code != exitFailed || out != "" || strings.ContainsRune(errs, '\x1b') || !strings.HasPrefix(errs, "memsupctl: GET /metrics: ") {
					t.Errorf("%v: exit code %d, printed %q, errors %q", args, code, out, errs)
				}
			}
		})
	}
}
