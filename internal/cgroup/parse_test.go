package cgroup

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func statOf(tb testing.TB, kernel string) []byte {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", kernel, "memory.stat"))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestParseStatOfEachKernel(t *testing.T) {
	want := Stat{
		Anon: 184557568, File: 62914560, Sock: 40960, Shmem: 1048576,
		InactiveAnon: 184549376, ActiveAnon: 8192, InactiveFile: 41943040, ActiveFile: 20971520,
		SlabReclaimable: 3145728, WorkingsetRefaultAnon: 12, WorkingsetRefaultFile: 4711,
		KernelStack: Known(393216), Pagetables: Known(2097152), SlabUnreclaimable: Known(1048576),
		FileDirty: Known(4096), FileWriteback: Known(0), AnonTHP: Known(16777216),
		Pgscan: Known(20480), Pgsteal: Known(16384), Pgmajfault: Known(73),
	}
	for _, kernel := range kernels {
		want := want
		if kernel != "linux-5.15" {
			want.Kernel = Known(6693664)
		}
		if kernel == "linux-6.1" {
			want.Zswap, want.Zswapped = Known(0), Known(0)
		}
		if got, err := parseStat(statOf(t, kernel)); err != nil || got != want {
			t.Errorf("%s: got %+v, %v\nwant %+v", kernel, got, err, want)
		}
	}
}

// The order of lines is not part of the interface.
func TestParseStatInAnyOrder(t *testing.T) {
	b := statOf(t, "linux-6.12")
	want, err := parseStat(b)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(b), "\n")
	slices.Reverse(lines)
	if got, err := parseStat([]byte(strings.Join(lines, ""))); err != nil || got != want {
		t.Errorf("reversed: got %+v, %v\nwant %+v", got, err, want)
	}
}

// A line that is missing must never read as 0 bytes.
func TestParseStatDemandsItsLines(t *testing.T) {
	for _, key := range statKeys {
		b := strings.Replace("\n"+string(statOf(t, "linux-6.12")), "\n"+key+" ", "\nx"+key+" ", 1)
		got, err := parseStat([]byte(b[1:]))
		if err == nil || !strings.Contains(err.Error(), key) || got != (Stat{}) {
			t.Errorf("without %s: got %+v, %v", key, got, err)
		}
	}
	if _, err := parseStat(nil); err == nil {
		t.Error("an empty file parsed")
	}
}

func TestParseEvents(t *testing.T) {
	const old = "low 1\nhigh 15\nmax 3\noom 2\noom_kill 18446744073709551615\n"
	want := Events{Low: 1, High: 15, Max: 3, OOM: 2, OOMKill: 1<<64 - 1}
	if got, err := parseEvents([]byte(old)); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	want.OOMGroupKill = Known(0)
	if got, err := parseEvents([]byte(old + "oom_group_kill 0\nsock_throttled 7\n")); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	for _, in := range []string{"", "low 1\n", "low 1\nhigh\nmax 3\noom 2\noom_kill 1\n", strings.Replace(old, "15", "-15", 1), strings.Replace(old, "15", "0x15", 1), old + "garbage", strings.Replace(old, "15", "18446744073709551616", 1)} {
		if got, err := parseEvents([]byte(in)); err == nil || got != (Events{}) {
			t.Errorf("%q: got %+v, %v; want an error", in, got, err)
		}
	}
}

func TestParseState(t *testing.T) {
	if got, err := parseState([]byte("populated 1\nfrozen 0\n")); err != nil || got != (State{Populated: true}) {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := parseState([]byte("frozen 1\npopulated 0\nlater 5\n")); err != nil || got != (State{Frozen: true}) {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, in := range []string{"", "populated 1\n", "frozen 0\n", "populated yes\nfrozen 0\n"} {
		if got, err := parseState([]byte(in)); err == nil {
			t.Errorf("%q: got %+v, want an error", in, got)
		}
	}
}

func TestParseCPU(t *testing.T) {
	const bare = "usage_usec 2184341\nuser_usec 1312010\nsystem_usec 872331\n"
	want := CPU{Known: true, Usage: 2184341 * time.Microsecond, User: 1312010 * time.Microsecond, System: 872331 * time.Microsecond}
	if got, err := parseCPU([]byte(bare)); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	want.Periods, want.Throttled, want.ThrottledTime = Known(8), Known(0), 5*time.Second
	if got, err := parseCPU([]byte("core_sched.force_idle_usec 3\n" + bare + "nr_periods 8\nnr_throttled 0\nthrottled_usec 5000000\nnr_bursts 0\n")); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if got := micros(1<<64 - 1); got < 0 || got/time.Hour < 24*365*290 {
		t.Errorf("micros overflows to %v", got)
	}
	for _, in := range []string{"", "usage_usec 1\nuser_usec 1\n", "usage_usec\n"} {
		if got, err := parseCPU([]byte(in)); err == nil || got != (CPU{}) {
			t.Errorf("%q: got %+v, %v; want an error", in, got, err)
		}
	}
}

func TestParseUint(t *testing.T) {
	for in, want := range map[string]uint64{"0\n": 0, "268435456\n": 268435456, "7": 7, "18446744073709551615\n": 1<<64 - 1} {
		if got, err := parseUint([]byte(in)); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "\n", "max\n", "-1\n", "1 \n", "18446744073709551616\n", "99999999999999999999\n", "1\n2\n"} {
		if got, err := parseUint([]byte(in)); err == nil {
			t.Errorf("%q: %d, want an error", in, got)
		}
	}
}

func TestParseProcs(t *testing.T) {
	// 0 is a process of another PID namespace.
	if got, err := parseProcs(nil, []byte("4242\n0\n7\n")); err != nil || !slices.Equal(got, []int{4242, 7}) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, in := range []string{"\n", "x\n", "-1\n", "4294967296\n"} {
		if got, err := parseProcs(nil, []byte(in)); err == nil {
			t.Errorf("%q: got %v, want an error", in, got)
		}
	}
}

func TestParseProcCgroup(t *testing.T) {
	for in, want := range map[string]string{
		"0::/system.slice/walmart-api-server.service\n":  "/system.slice/walmart-api-server.service",
		"4:memory:/user.slice\n1:name=systemd:/\n0::/\n": "/",
		"0::/a b:c\\x2d.service":                         "/a b:c\\x2d.service",
	} {
		if got, err := parseProcCgroup([]byte(in)); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
	}
	for in, want := range map[string]error{
		"":                            errors.ErrUnsupported,
		"4:memory:/user.slice\n":      errors.ErrUnsupported,
		"0::/x.service (deleted)\n":   ErrGone,
		"0::/../other.slice/x.scope":  nil, // outside of our cgroup namespace
		"0::\n":                       nil,
		"10::/not/the/unified/one.sl": errors.ErrUnsupported,
	} {
		if got, err := parseProcCgroup([]byte(in)); err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%q: %q, %v; want %v", in, got, err, want)
		}
	}
}

func TestEventsSince(t *testing.T) {
	before := Events{Low: 1, High: 10, Max: 5, OOM: 2, OOMKill: 1, OOMGroupKill: Known(1)}
	for name, tc := range map[string]struct {
		now, prev, want Events
		reset           bool
	}{
		"nothing":          {before, before, Events{OOMGroupKill: Known(0)}, false},
		"growth":           {Events{1, 12, 5, 3, 2, Known(1)}, before, Events{High: 2, OOM: 1, OOMKill: 1, OOMGroupKill: Known(0)}, false},
		"a new cgroup":     {Events{High: 3, OOMGroupKill: Known(0)}, before, Events{High: 3, OOMGroupKill: Known(0)}, true},
		"new and overtook": {Events{High: 99, OOMGroupKill: Known(0)}, before, Events{High: 99, OOMGroupKill: Known(0)}, true},
		"first look":       {before, Events{}, before, false},
		"no group counter": {Events{High: 2}, Events{High: 1}, Events{High: 1}, false},
	} {
		if got, reset := tc.now.Since(tc.prev); got != tc.want || reset != tc.reset {
			t.Errorf("%s: got %+v, %v; want %+v, %v", name, got, reset, tc.want, tc.reset)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	for _, kernel := range kernels {
		f.Add(statOf(f, kernel))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := parseStat(b); err != nil && s != (Stat{}) {
			t.Fatalf("%q: %+v beside %v", b, s, err)
		}
	})
}

// FuzzParseLines holds every other parser to the same: no panic, and nothing but
// the zero value beside an error.
func FuzzParseLines(f *testing.F) {
	for _, name := range []string{"memory.events", "cgroup.events", "cpu.stat", "memory.current", "cgroup.procs"} {
		b, err := os.ReadFile(filepath.Join("testdata", "linux-6.12", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("4:memory:/\n0::/system.slice/x.service (deleted)\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := parseEvents(b); err != nil && e != (Events{}) {
			t.Errorf("events %q: %+v beside %v", b, e, err)
		}
		if s, err := parseState(b); err != nil && s != (State{}) {
			t.Errorf("state %q: %+v beside %v", b, s, err)
		}
		if c, err := parseCPU(b); err != nil && c != (CPU{}) || err == nil && c.Usage < 0 {
			t.Errorf("cpu %q: %+v beside %v", b, c, err)
		}
		if n, err := parseUint(b); err != nil && n != 0 {
			t.Errorf("uint %q: %d beside %v", b, n, err)
		}
		pids, err := parseProcs(nil, b)
		if err != nil && pids != nil {
			t.Errorf("procs %q: %v beside %v", b, pids, err)
		}
		for _, pid := range pids {
			if pid <= 0 {
				t.Errorf("procs %q: PID %d", b, pid)
			}
		}
		if p, err := parseProcCgroup(b); err == nil && CheckPath(p) != nil || err != nil && p != "" {
			t.Errorf("/proc/PID/cgroup %q: path %q beside %v", b, p, err)
		}
	})
}
