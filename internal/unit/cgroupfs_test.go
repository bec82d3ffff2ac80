package unit

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/memsup/memsup/internal/limit"
)

func TestChildEnv(t *testing.T) {
	daemon := []string{
		"PATH=/bin", "HOME=/root", "NOTIFY_SOCKET=/run/systemd/notify", "WATCHDOG_USEC=1", "WATCHDOG_PID=1", "LISTEN_FDS=1", "LISTEN_PID=1",
		"LISTEN_FDNAMES=a", "INVOCATION_ID=daemon", "JOURNAL_STREAM=1:2", "MEMORY_PRESSURE_WATCH=/x", "MEMORY_PRESSURE_WRITE=x",
		"GOMEMLIMIT=1", "MEMSUP_TOKEN=secret", "STATE_DIRECTORY=/var/lib/memsupd", "=odd", "odd", "HOME=/last",
	}
	got := childEnv(daemon, "child", []string{"PATH=/own", "NODE_OPTIONS=-a=b", "NODE_OPTIONS=-c", "NOTIFY_SOCKET=/its/own"})
	want := []string{"PATH=/own", "HOME=/last", "INVOCATION_ID=child", "NODE_OPTIONS=-c", "NOTIFY_SOCKET=/its/own"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestResult(t *testing.T) {
	term, kill := int32(unix.SIGTERM), int32(unix.SIGKILL)
	for _, tc := range []struct {
		exit          exit
		stopping, oom bool
		want          string
	}{
		{exit{exited, 0, true}, false, false, "success"},
		{exit{exited, 0, true}, false, true, "oom-kill"}, // of a child of the main process
		{exit{exited, 1, true}, false, false, "exit-code"},
		{exit{exited, 1, true}, true, false, "exit-code"},
		{exit{killed, term, true}, true, false, "success"},
		{exit{killed, kill, true}, true, false, "success"},
		{exit{killed, kill, true}, false, true, "oom-kill"},
		{exit{killed, kill, true}, false, false, "signal"},
		{exit{killed, term, true}, false, false, "success"}, // a person's kill(1)
		{exit{killed, int32(unix.SIGSEGV), true}, true, false, "signal"},
		{exit{dumped, int32(unix.SIGSEGV), true}, false, false, "core-dump"},
		{exit{}, true, false, "success"},
		{exit{}, false, false, "unknown"},
	} {
		if got := result(tc.exit, tc.stopping, unix.SIGTERM, tc.oom); got != tc.want {
			t.Errorf("%+v: %q", tc, got)
		}
	}
}

func TestLifeState(t *testing.T) {
	proc := &process{pid: 7}
	for name, tc := range map[string]struct {
		l                life
		active, sub      string
		pid              int
		pending, running bool
	}{
		"never ran":              {life{result: "success"}, "inactive", "dead", 0, false, false},
		"being launched":         {life{result: "success", job: "launch"}, "activating", "start", 0, true, false},
		"runs":                   {life{result: "success", proc: proc}, "active", "running", 7, false, true},
		"stopping for a restart": {life{result: "success", proc: proc, job: "restart", stopping: true}, "deactivating", "stop-sigterm", 7, true, false},
		"between its two lives":  {life{result: "success", job: "restart"}, "activating", "start", 0, true, false},
		"waits after a failure":  {life{result: "signal", retry: &retry{}}, "activating", "auto-restart", 0, false, false},
		"failed for good":        {life{result: "signal"}, "failed", "failed", 0, false, false},
	} {
		st := tc.l.state()
		if st.ActiveState != tc.active || st.SubState != tc.sub || st.MainPID != tc.pid || st.Job != 0 != tc.pending || st.Running() != tc.running {
			t.Errorf("%s: %s (%s), main pid %d, job %d", name, st.ActiveState, st.SubState, st.MainPID, st.Job)
		}
	}
}

func TestPause(t *testing.T) {
	var total time.Duration
	for n, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60, 60} {
		got, ok := pause(n+1, time.Second)
		if !ok || got != want*time.Second {
			t.Errorf("failure %d: %v, %v, want %vs", n+1, got, ok, int(want))
		}
		total += got
	}
	if total > 6*time.Minute {
		t.Errorf("it takes %v to give up", total)
	}
	if got, ok := pause(attempts+1, time.Second); ok {
		t.Errorf("no end: %v", got)
	}
	if got, ok := pause(1, 0); !ok || got != pauseDefault {
		t.Errorf("without RestartSec=: %v", got)
	}
	if got, ok := pause(2, time.Hour); !ok || got != pauseMax {
		t.Errorf("with a long RestartSec=: %v", got)
	}
}

func FuzzParseStartTime(f *testing.F) {
	real, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(real))
	for _, s := range []string{"", ")", "1 (a) b) S 1 2", "1 (x) S 1 1 1 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 77 0 0", "(" + strings.Repeat(") ", 40)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, err := parseStartTime(s); err == nil && strings.Trim(got, "+0123456789") != "" {
			t.Fatalf("%q: %q", s, got)
		}
	})
}

// sleeper is a process of ours that runs until it is told to end.
func sleeper(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/bin/sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

func TestProcessEnds(t *testing.T) {
	for _, child := range []bool{true, false} {
		pid := sleeper(t).Process.Pid
		p, err := adopt("/proc", pid, "")
		if err != nil {
			t.Fatal(err)
		}
		p.child = child
		go p.wait()
		if err := p.signal(unix.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := p.ended(testContext(t)); err != nil {
			t.Fatal(err)
		}
		want := exit{}
		if child {
			want = exit{killed, int32(unix.SIGTERM), true}
		}
		if p.exit != want {
			t.Errorf("exit %+v, want %+v", p.exit, want)
		}
		if err := p.signal(unix.SIGTERM); err != nil {
			t.Errorf("a signal to one that has ended: %v", err)
		}
		if err := p.close(); err != nil {
			t.Error(err)
		}
	}
}

func TestProcessIsLetGoOf(t *testing.T) {
	cmd := sleeper(t)
	p, err := adopt("/proc", cmd.Process.Pid, "")
	if err != nil {
		t.Fatal(err)
	}
	waited := make(chan bool, 1)
	go func() { waited <- p.wait() }()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.ended(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("ended: %v", err)
	}
	if err := p.close(); err != nil {
		t.Fatal(err)
	}
	if <-waited {
		t.Error("it has not ended, says wait")
	}
	if err := p.ended(testContext(t)); !errors.Is(err, ErrClosed) {
		t.Errorf("ended: %v", err)
	}
	if err := unix.Kill(cmd.Process.Pid, 0); err != nil {
		t.Errorf("the process did not survive: %v", err)
	}
}

func TestMainOf(t *testing.T) {
	first, second := sleeper(t).Process.Pid, sleeper(t).Process.Pid
	started, err := startTime("/proc", second)
	if err != nil {
		t.Fatal(err)
	}
	proc := t.TempDir() // start times as told, so that first is older in any case
	for pid, at := range map[int]string{first: "99", second: "100"} {
		dir := filepath.Join(proc, strconv.Itoa(pid))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		stat := "1 (sleep) S " + strings.Repeat("0 ", 18) + at + " 0\n"
		if err := os.WriteFile(filepath.Join(dir, "stat"), []byte(stat), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, tc := range map[string]struct {
		proc string
		r    record
		pids []int
		want int
	}{
		"the recorded one":     {"/proc", record{PID: second, StartTime: started}, []int{first, second}, second},
		"its number is reused": {proc, record{PID: second, StartTime: started}, []int{second, first}, first},
		"nothing recorded":     {proc, record{}, []int{second, first}, first},
		"nobody left":          {proc, record{PID: first, StartTime: "99"}, nil, 0},
		"gone meanwhile":       {proc, record{}, []int{1 << 22}, 0},
	} {
		p := mainOf(tc.proc, tc.r, tc.pids)
		if p == nil {
			if tc.want != 0 {
				t.Errorf("%s: none", name)
			}
			continue
		}
		if p.pid != tc.want {
			t.Errorf("%s: %d, want %d", name, p.pid, tc.want)
		}
		if err := p.close(); err != nil {
			t.Error(err)
		}
	}
}

func TestRecord(t *testing.T) {
	dir := t.TempDir()
	path := recordPath(dir, "api.service")
	want := record{
		Spec: Spec{Name: "api", Exec: []string{"/bin/true"}, Limits: limit.Set{Max: limit.Max, SwapMax: limit.Bytes(0)}, StopTimeout: time.Second},
		PID:  7, StartTime: "99", Invocation: newInvocation(), Started: time.Unix(1_700_000_000, 0).UTC(),
	}
	if err := want.write(path); err != nil {
		t.Fatal(err)
	}
	got, err := readRecord(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(limit.Value{})); d != "" {
		t.Error(d)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestBadRecordIsSetAside(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"broken.service.json": "{",
		"other.service.json":  `{"spec":{"Name":"api","Exec":["/bin/true"]}}`,
		"huge.service.json":   strings.Repeat(" ", recordMax+1),
		"path.service.json":   `{"spec":{"Name":"../api","Exec":["/bin/true"]}}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, bad, err := NewCgroupfs(t.Context(), CgroupfsOptions{Root: t.TempDir(), Proc: "/proc", Dir: dir})
	if err != nil || len(bad) != 4 {
		t.Fatalf("%d bad records: %v, %v", len(bad), bad, err)
	}
	defer c.Close()
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) != 4 || slices.ContainsFunc(left, func(p string) bool { return !strings.HasSuffix(p, ".json.bad") }) {
		t.Errorf("files: %v, %v", left, err)
	}
	if st, err := c.State(t.Context(), "api"); err != nil || st.LoadState != "not-found" {
		t.Errorf("state %+v, %v", st, err)
	}
	if _, err := c.Start(t.Context(), "api"); !errors.Is(err, ErrNotFound) {
		t.Errorf("start: %v", err)
	}
}
