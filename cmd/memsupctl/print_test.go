package main

import (
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/memsup/memsup/internal/client"
	"github.com/memsup/memsup/internal/service"
)

// JSON is what the API says, byte for byte.
func TestJSONIsTheAPIsOwn(t *testing.T) {
	m := operator(restarted("api-server", service.Unfinished, "it is down"), nil)
	_, address := serve(t, m, "")
	for _, tc := range []struct {
		method, path string
		args         []string
		code         int
	}{
		{http.MethodGet, "/metrics", []string{"status", "--json"}, exitOK},
		{http.MethodGet, "/metrics/nlp-queue", []string{"--json", "status", "nlp-queue"}, exitOK},
		{http.MethodGet, "/alerts", []string{"alerts", "--json"}, exitOK},
		{http.MethodPost, "/restart/api-server", []string{"restart", "api-server", "--json"}, exitFailed},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tc.method, address+tc.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		want, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if code, out, errs := ctl(t, address, tc.args...); code != tc.code || out != string(want) {
			t.Errorf("%v: exit code %d, errors %q, printed\n%s\nwant %s", tc.args, code, errs, out, want)
		}
	}
}

// hostile is a fleet whose every text wants to command the terminal.
func hostile() []service.Status {
	const evil = "node\x1b[2J\x07\r\n\u009b31m\u202e\x7f\xff"
	all := fleet()
	for i := range all {
		st := &all[i]
		st.Detail, st.Cgroup, st.Unit = evil, evil, evil
		for j := range st.Alerts {
			a := &st.Alerts[j]
			a.Message, a.Waiting, a.Rule, a.Severity = evil, evil, evil, service.Severity(evil)
			for k := range a.Victims {
				a.Victims[k].Comm = evil
			}
		}
		if r := st.Restarts.Last; r != nil {
			r.Detail, r.Reason, r.By = evil, evil, evil
		}
		if st.Action != nil {
			st.Action.Reason, st.Action.By = evil, evil
		}
	}
	return all
}

func TestNothingCommandsTheTerminal(t *testing.T) {
	m := operator(restarted("api-server", service.Unfinished, "bad\x1b]0;title\x07\u009b"), nil)
	m.services = hostile()
	m.health = service.Health{Status: "degraded", Subsystems: []service.Subsystem{{Name: "x\x1b[1m", Detail: "y\x1b[1m\nz\x9b"}}, Missing: []string{"\x1bc"}}
	socket, _ := serve(t, m, "")
	for _, args := range [][]string{
		{"status"}, {"alerts"}, {"status", "api-server"}, {"status", "nlp-queue"}, {"status", "pricing"}, {"restart", "api-server"},
		{"status", "--json"}, {"alerts", "--json"}, {"status", "\x1b[2J"}, {"__complete", "status", ""},
	} {
		_, out, errs := ctlWith(t, &command{terminal: true}, socket, args...)
		for _, r := range out + errs {
			if r != '\n' && r != '\t' && !unicode.IsPrint(r) && !slices.Contains(args, "--json") || unicode.IsControl(r) && r != '\n' && r != '\t' {
				t.Errorf("%q prints %q: %q", args, r, out+errs)
				break
			}
		}
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"node":             "node",
		"größer 大 é":       "größer 大 é",
		"\x1b[2J":          `\x1b[2J`,
		"a\nb\tc":          "a b c",
		"a\u009b\u202eb":   `a\u009b\u202eb`,
		"\xff\ufffd":       `\xff` + "\ufffd",
		"  nothing\r\n":    "nothing\\r",
		"\u00a0\U000e0001": `\u00a0\U000e0001`,
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"node", "\x1b[2J", "a\nb", "\u009b", "\xff\ufffd", "\u202e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := clean(s)
		for _, r := range got {
			if !unicode.IsPrint(r) {
				t.Fatalf("clean(%q) = %q", s, got)
			}
		}
		if clean(got) != got {
			t.Fatalf("clean(%q) is not clean: %q", s, got)
		}
	})
}

func TestFooter(t *testing.T) {
	socket, _ := serve(t, &memsupd{health: service.Health{
		Status: "degraded",
		Subsystems: []service.Subsystem{
			{Name: "config", Detail: "2 mistakes:\nmemsupd.yaml:3:5: unknown key\nmemsupd.yaml:9:1: unknown key"},
			{Name: "engine", Detail: "gone"}, // answered with 503
			{Name: "state", OK: true},
		},
		Missing: []string{"memory.reclaim: needs kernel 5.19: upgrade the kernel"},
	}}, "")
	code, out, errs := ctl(t, socket, "status")
	if code != exitOK || errs != "" {
		t.Errorf("exit code %d, errors %q", code, errs)
	}
	golden(t, "footer", out)
}

// colours are those of severities alone, and take no room in the table.
func TestColours(t *testing.T) {
	socket, _ := serve(t, &memsupd{services: fleet()}, "")
	_, plain, _ := ctl(t, socket, "status")
	_, coloured, _ := ctlWith(t, &command{colour: true}, socket, "status")
	if !strings.Contains(coloured, "\x1b[1;31mCRITICAL\x1b[0m memory-critical") {
		t.Errorf("no colour:\n%q", coloured)
	}
	if bare := strings.NewReplacer("\x1b[1;31m", "", "\x1b[33m", "", "\x1b[0m", "").Replace(coloured); bare != plain {
		t.Errorf("the table is another one in colour:\n%s\n%s", bare, plain)
	}
}

func TestCompletion(t *testing.T) {
	services := slices.Concat(fleet()[:2], []service.Status{{Name: "$(reboot)"}})
	socket, _ := serve(t, &memsupd{services: services}, "")
	for _, command := range []string{"status", "restart"} {
		_, out, _ := ctl(t, socket, "__complete", command, "")
		if want := "cache-warmer\trunning\npricing\trestarting\n:4\n"; out != want {
			t.Errorf("%s: %q, want %q", command, out, want)
		}
	}
	if _, out, _ := ctl(t, socketPath(t), "__complete", "status", ""); out != ":4\n" {
		t.Errorf("without memsupd: %q", out)
	}
}

func TestVersion(t *testing.T) {
	if code, out, _ := ctl(t, client.DefaultAddress, "version"); code != exitOK || out != "memsupctl unknown\n" {
		t.Errorf("exit code %d, printed %q", code, out)
	}
}

func TestSpan(t *testing.T) {
	for in, want := range map[time.Duration]string{
		-time.Second: "0 s", 0: "0 s", 999 * time.Millisecond: "0 s", 59 * time.Second: "59 s", time.Minute: "1 min",
		61 * time.Second: "1 min 1 s", time.Hour + 59*time.Second: "1 h", 25 * time.Hour: "1 d 1 h", 400 * 24 * time.Hour: "400 d",
	} {
		if got := span(in); got != want {
			t.Errorf("span(%v) = %q, want %q", in, got, want)
		}
	}
}

func TestTerminal(t *testing.T) {
	for path, want := range map[string]bool{"/dev/ptmx": true, "/dev/null": false} {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if isTerminal(f) != want {
			t.Errorf("%s is a terminal: %v", path, !want)
		}
	}
	if isTerminal(io.Discard) {
		t.Error("io.Discard is a terminal")
	}
}
