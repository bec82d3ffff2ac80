package unit

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/memsup/memsup/internal/limit"
)

func TestJobAnnouncedBeforeTheReply(t *testing.T) {
	m := newManager(t) // its onJob announces the end before the reply is sent
	m.put("a.service", nil)
	s := m.connect()
	for verb, do := range map[string]func(context.Context, string) (Job, error){"start": s.Start, "stop": s.Stop, "restart": s.Restart} {
		if job, err := do(testContext(t), "a"); err != nil || job.Result != "done" || job.ID == 0 || job.Inferred {
			t.Errorf("%s: %+v, %v", verb, job, err)
		}
	}
	if n := len(s.jobs.early) + len(s.jobs.waiting); n != 0 || s.jobs.calls != 0 {
		t.Errorf("left behind: %+v", s.jobs)
	}
}

func TestJobResults(t *testing.T) {
	m := newManager(t)
	m.put("a.service", nil)
	s := m.connect()
	for _, result := range []string{"canceled", "timeout", "failed", "dependency", "skipped", "", "something new"} {
		m.on(func(id uint32, unit string) { m.finish(id, unit, result) })
		job, err := s.Restart(testContext(t), "a")
		var e *JobError
		if !errors.As(err, &e) || e.Job.Result != result || job.Result != result || e.Unit != "a.service" || e.Verb != "restart" {
			t.Errorf("%q: %+v, %v", result, job, err)
		}
	}
}

func TestJobOfCancelledContextIsForgotten(t *testing.T) {
	m := newManager(t)
	m.put("a.service", nil)
	ctx, cancel := context.WithCancel(t.Context())
	m.on(func(uint32, string) {})
	s := m.connect()
	ended := make(chan error, 1)
	go func() {
		_, err := s.Start(ctx, "a")
		ended <- err
	}()
	for claimed := false; !claimed; {
		s.mu.Lock()
		claimed = len(s.jobs.waiting) == 1
		s.mu.Unlock()
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if len(s.jobs.waiting) != 0 {
		t.Errorf("left behind: %v", s.jobs.waiting)
	}
}

func TestJobAcrossAnOutage(t *testing.T) {
	for name, tc := range map[string]struct {
		verb     func(*Systemd, context.Context, string) (Job, error)
		ends     bool   // while the bus is away
		active   string // the state it leaves
		result   string
		inferred bool
	}{
		"ended well":      {(*Systemd).Restart, true, "active", "done", true},
		"ended badly":     {(*Systemd).Restart, true, "failed", "failed", true},
		"still activates": {(*Systemd).Start, true, "activating", "failed", true},
		"stopped":         {(*Systemd).Stop, true, "inactive", "done", true},
		"stop in vain":    {(*Systemd).Stop, true, "active", "failed", true},
		"goes on":         {(*Systemd).Restart, false, "active", "timeout", false},
	} {
		t.Run(name, func(t *testing.T) {
			m := newManager(t)
			m.put("a.service", nil)
			running := make(chan uint32, 1)
			m.on(func(id uint32, _ string) { running <- id })
			s := m.connect()
			w, err := s.Watch("a")
			if err != nil {
				t.Fatal(err)
			}
			type end struct {
				job Job
				err error
			}
			ended := make(chan end, 1)
			go func() {
				job, err := tc.verb(s, testContext(t), "a")
				ended <- end{job, err}
			}()
			id := <-running
			for claimed := false; !claimed; { // the reply has arrived
				s.mu.Lock()
				claimed = len(s.jobs.waiting) == 1
				s.mu.Unlock()
			}
			m.stop()
			next(t, w, func(c Change) bool { return !c.Connected })
			if tc.ends {
				m.mu.Lock()
				delete(m.jobs, id)
				m.units["a.service"]["ActiveState"] = tc.active
				m.mu.Unlock()
			}
			m.start()
			m.appear()
			if !tc.ends {
				next(t, w, func(c Change) bool { return c.Connected })
				m.finish(id, "a.service", tc.result)
			}
			got := <-ended
			if got.job != (Job{ID: id, Result: tc.result, Inferred: tc.inferred}) {
				t.Errorf("job %+v", got.job)
			}
			var e *JobError
			if errors.As(got.err, &e) == (tc.result == "done") {
				t.Errorf("error %v", got.err)
			}
		})
	}
}

func TestAchieved(t *testing.T) {
	for _, tc := range []struct {
		verb string
		st   State
		want bool
	}{
		{"start", State{ActiveState: "active"}, true},
		{"restart", State{ActiveState: "reloading"}, true},
		{"launch", State{ActiveState: "refreshing"}, true},
		{"start", State{ActiveState: "activating"}, false},
		{"start", State{ActiveState: "inactive", Result: "success", Type: "simple"}, false},
		{"start", State{ActiveState: "inactive", Result: "success", Type: "oneshot"}, true},
		{"start", State{ActiveState: "inactive", Result: "exit-code", Type: "oneshot"}, false},
		{"stop", State{ActiveState: "inactive"}, true},
		{"stop", State{ActiveState: "failed"}, true},
		{"stop", State{ActiveState: "deactivating"}, false},
	} {
		if got := achieved(tc.verb, tc.st); got != tc.want {
			t.Errorf("%s, %+v: %v", tc.verb, tc.st, got)
		}
	}
}

func TestJobID(t *testing.T) {
	for p, want := range map[dbus.ObjectPath]uint32{
		"/org/freedesktop/systemd1/job/1":          1,
		"/org/freedesktop/systemd1/job/4294967295": 4294967295,
		"/org/freedesktop/systemd1/job/4294967296": 0,
		"/org/freedesktop/systemd1/job/0":          0,
		"/org/freedesktop/systemd1/job/-1":         0,
		"/org/freedesktop/systemd1/unit/1":         0,
		"/":                                        0,
		"":                                         0,
	} {
		if got, err := jobID(p); got != want || (err == nil) != (want != 0) {
			t.Errorf("%q: %d, %v; want %d", p, got, err, want)
		}
	}
}

func TestJobsBoundTheEarly(t *testing.T) {
	j := jobs{calls: 2}
	for id := range uint32(2 * earlyMax) {
		j.removed(id+1, "done")
	}
	if len(j.early) != earlyMax {
		t.Errorf("%d early ends kept", len(j.early))
	}
	if got := <-j.claim(7); got != "done" {
		t.Errorf("claimed %q", got)
	}
	if j.called(); j.early != nil {
		t.Error("early ends kept with no call under way")
	}
}

func TestLaunchSendsOnlyWhatIsSet(t *testing.T) {
	m := newManager(t)
	s := m.connect()
	adj := 0
	_, err := s.Launch(testContext(t), Spec{
		Name: "api", Exec: []string{"/usr/bin/node", "a b", "$HOME %i"}, Env: []string{"A=b c", "_X1="},
		Limits: limit.Set{Max: limit.Bytes(1 << 20), High: limit.Max, SwapMax: limit.Bytes(0)}, OOMScoreAdj: &adj,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"Slice": `"memsup.slice"`, "Type": `"exec"`, "MemoryAccounting": "true", "MemoryMax": "@t 1048576",
		"MemoryHigh": "@t 18446744073709551615", "MemorySwapMax": "@t 0", "OOMScoreAdjust": "0",
		"Environment": `["A=b c", "_X1="]`,
		// As it is: systemd is not to put its own HOME there.
		"ExecStartEx": `[["/usr/bin/node", ["/usr/bin/node", "a b", "$HOME %i"], ["no-env-expand"]]]`,
	}
	sent := m.sent()
	for name, v := range sent {
		if want[name] == "" {
			t.Errorf("%s sent as %s, unasked for", name, v)
		}
	}
	for name, v := range want {
		got, ok := sent[name]
		if !ok || got.String() != v {
			t.Errorf("%s = %s, want %s", name, got, v)
		}
	}
}

func TestSetLimitsSendsOnlyWhatIsThere(t *testing.T) {
	m := newManager(t)
	s := m.connect()
	if err := s.SetLimits(testContext(t), "a", limit.Set{Low: limit.Bytes(0)}, true); err != nil {
		t.Fatal(err)
	}
	if sent := m.sent(); len(sent) != 1 || sent["MemoryLow"].Value() != uint64(0) {
		t.Errorf("sent %v", sent)
	}
	if err := s.SetLimits(testContext(t), "a", limit.Set{}, true); err == nil {
		t.Error("no limit at all: no error")
	}
}

func FuzzJobID(f *testing.F) {
	for _, s := range []string{"/org/freedesktop/systemd1/job/123", "/org/freedesktop/systemd1/job/0", "/org/freedesktop/systemd1/job/4294967296", "/org/freedesktop/systemd1/unit/1", "/", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := jobID(dbus.ObjectPath(s))
		if (id == 0) != (err != nil) {
			t.Fatalf("%q is %d, %v", s, id, err)
		}
		if err == nil && !strings.HasSuffix(s, strconv.FormatUint(uint64(id), 10)) {
			t.Fatalf("%q is %d", s, id)
		}
	})
}
