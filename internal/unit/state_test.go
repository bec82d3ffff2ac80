package unit

import (
	"math"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/memsup/memsup/internal/limit"
)

func properties(m map[string]any) props {
	p := props{}
	for k, v := range m {
		p[k] = dbus.MakeVariant(v)
	}
	return p
}

func TestDecode(t *testing.T) {
	got := decode(properties(map[string]any{
		"Id": "api.service", "LoadState": "loaded", "ActiveState": "active", "SubState": "running", "Result": "success",
		"ControlGroup": "/memsup.slice/api.service", "MainPID": uint32(4194304), "ControlPID": uint32(0),
		"InvocationID": []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255}, "NRestarts": uint32(3),
		"Job":       []any{uint32(7), dbus.ObjectPath("/org/freedesktop/systemd1/job/7")},
		"MemoryMax": uint64(1 << 20), "MemoryHigh": uint64(math.MaxUint64), "MemoryLow": uint64(0), "MemorySwapMax": uint64(0),
		"ActiveEnterTimestamp": uint64(1_700_000_000_000_001), "InactiveEnterTimestamp": uint64(0),
		"ExecMainCode": int32(2), "ExecMainStatus": int32(9), "Type": "notify", "Restart": "on-failure", "OOMPolicy": "stop",
		"Slice": "memsup.slice", "TimeoutStopUSec": uint64(90_000_000), "Transient": true, "NeedDaemonReload": true,
		"FragmentPath": "/run/systemd/transient/api.service", "DropInPaths": []string{"/etc/x.conf"},
	}))
	want := State{
		Name: "api.service", LoadState: "loaded", ActiveState: "active", SubState: "running", Result: "success",
		Cgroup: "/memsup.slice/api.service", MainPID: 4194304, InvocationID: "000102030405060708090a0b0c0d0eff",
		NRestarts: 3, Job: 7,
		Limits:       limit.Set{Max: limit.Bytes(1 << 20), High: limit.Max, Low: limit.Bytes(0), SwapMax: limit.Bytes(0)},
		ActiveEnter:  time.UnixMicro(1_700_000_000_000_001),
		ExecMainCode: 2, ExecMainStatus: 9, Type: "notify", Restart: "on-failure", OOMPolicy: "stop", Slice: "memsup.slice",
		StopTimeout: 90 * time.Second, Transient: true, NeedDaemonReload: true,
		FragmentPath: "/run/systemd/transient/api.service", DropInPaths: []string{"/etc/x.conf"},
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(limit.Value{})); d != "" {
		t.Error(d)
	}
}

// hostile are values of the wrong type or out of all bounds.
var hostile = []any{
	"", "text", "/../../etc", "/a\x00b", "//", true, byte(1), int16(-1), uint16(1), int32(math.MinInt32), uint32(math.MaxUint32),
	int64(-1), uint64(math.MaxUint64), uint64(1 << 63), math.NaN(), []byte{}, make([]byte, 17), []string{"\xff"}, []any{}, []any{"x", 1},
	[]any{uint64(1), dbus.ObjectPath("/")}, []any{uint32(1), "x", "y"}, [][]any{{}}, map[string]dbus.Variant{}, dbus.ObjectPath("/"),
	dbus.MakeVariant(dbus.MakeVariant("nested")), dbus.Signature{},
}

// names are the properties that decode reads.
var names = []string{
	"Id", "LoadState", "ActiveState", "SubState", "Result", "ControlGroup", "MainPID", "ControlPID", "InvocationID", "NRestarts", "Job",
	"MemoryMax", "MemoryHigh", "MemoryLow", "MemoryMin", "MemorySwapMax", "ActiveEnterTimestamp", "InactiveEnterTimestamp",
	"ExecMainStartTimestamp", "ExecMainCode", "ExecMainStatus", "Type", "Restart", "OOMPolicy", "Slice", "TimeoutStopUSec",
	"Transient", "NeedDaemonReload", "FragmentPath", "DropInPaths",
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{})
	for i := range hostile {
		row := make([]byte, len(names))
		for j := range row {
			row[j] = byte(i + 1)
		}
		f.Add(row)
	}
	f.Fuzz(func(t *testing.T, choice []byte) {
		p := props{}
		for i, c := range choice {
			if i >= len(names) {
				break
			}
			switch {
			case c == 0: // missing
			case int(c) > len(hostile):
				p[names[i]] = dbus.Variant{}
			default:
				p[names[i]] = dbus.MakeVariant(hostile[c-1])
			}
		}
		st := decode(p)
		if st.MainPID < 0 || st.MainPID > 1<<22 || st.StopTimeout < 0 {
			t.Fatalf("%v decodes as %+v", p, st)
		}
		if st.InvocationID != "" && len(st.InvocationID) != 32 {
			t.Fatalf("invocation ID %q", st.InvocationID)
		}
		if st.Cgroup != "" && cgroupPath(st.Cgroup) == "" {
			t.Fatalf("cgroup %q", st.Cgroup)
		}
	})
}

func TestCgroupPath(t *testing.T) {
	for in, want := range map[string]string{
		"/system.slice/a.service": "/system.slice/a.service", "/a": "/a", `/a\x2db/..c`: `/a\x2db/..c`,
		"": "", "/": "", "a": "", "/..": "", "/a/../b": "", "/a//b": "", "/a/": "", "/./a": "", "/a\x00": "",
	} {
		if got := cgroupPath(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestDecodeSignal(t *testing.T) {
	path := unitPath("a.service")
	for _, tc := range []struct {
		name string
		path dbus.ObjectPath
		face string
		mem  string
		body []any
		want event
		ok   bool
	}{
		{"properties", path, propsFace, "PropertiesChanged", nil, event{path: path}, true},
		{"properties of a job", jobPath(1), propsFace, "PropertiesChanged", nil, event{}, false},
		{"new", managerPath, managerFace, "UnitNew", []any{"a.service", path}, event{path: path}, true},
		{"removed", managerPath, managerFace, "UnitRemoved", []any{"a.service", path}, event{path: path}, true},
		{"job", managerPath, managerFace, "JobRemoved", []any{uint32(3), jobPath(3), "a.service", "done"}, event{job: 3, result: "done"}, true},
		{"reloading", managerPath, managerFace, "Reloading", []any{true}, event{reloaded: true}, false},
		{"reloaded", managerPath, managerFace, "Reloading", []any{false}, event{reloaded: true}, true},
		{"another", managerPath, managerFace, "StartupFinished", []any{uint64(1)}, event{}, false},
	} {
		got, ok := decodeSignal(tc.face, tc.mem, &dbus.Signal{Path: tc.path, Body: tc.body})
		if ok != tc.ok || ok && got != tc.want {
			t.Errorf("%s: %+v, %v; want %+v, %v", tc.name, got, ok, tc.want, tc.ok)
		}
	}
	for _, member := range []string{"UnitNew", "UnitRemoved", "JobRemoved", "Reloading"} {
		for _, v := range hostile {
			for n := range 5 {
				body := make([]any, n)
				for i := range body {
					body[i] = v
				}
				if e, ok := decodeSignal(managerFace, member, &dbus.Signal{Path: managerPath, Body: body}); ok && v != true {
					t.Errorf("%s(%v): %+v", member, body, e)
				}
			}
		}
	}
}
