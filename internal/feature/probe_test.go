package feature

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	cgroups "github.com/containerd/cgroups/v3"
)

// tree is the content of files below a directory.
type tree map[string]string

// host is a whole one: unified, PSI, swap, systemd and a service with all files.
func host() tree {
	t := tree{
		"proc/sys/kernel/osrelease":         "6.12.48+deb13-cloud-amd64\n",
		"proc/pressure/memory":              "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
		"proc/swaps":                        "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/dev/zram0                              partition\t1048572\t\t0\t\t100\n",
		"run/systemd/system/.keep":          "",
		"cgroup/cgroup.controllers":         "cpuset cpu io memory hugetlb pids rdma misc\n",
		"cgroup/dev-hugepages.mount/x":      "",
		"cgroup/memsup.slice/own/something": "",
	}
	for _, f := range []string{"memory.current", "memory.pressure", "memory.reclaim", "memory.peak", "cgroup.kill"} {
		t["cgroup/system.slice/"+f] = "0\n"
	}
	return t
}

// with returns the host with changes: a file's new content, or its absence where
// the content is "-".
func (h tree) with(changes ...string) tree {
	for i := 0; i < len(changes); i += 2 {
		if h[changes[i]] = changes[i+1]; changes[i+1] == "-" {
			delete(h, changes[i])
		}
	}
	return h
}

func (h tree) plant(t *testing.T, mode cgroups.CGMode) Host {
	t.Helper()
	root := t.TempDir()
	for name, content := range h {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return Host{
		Cgroup:  filepath.Join(root, "cgroup"),
		Proc:    filepath.Join(root, "proc"),
		Run:     filepath.Join(root, "run"),
		Subtree: "/",
		Mode:    func() cgroups.CGMode { return mode },
	}
}

func TestProbeWholeHost(t *testing.T) {
	r, err := Probe(host().plant(t, cgroups.Unified))
	if err != nil {
		t.Fatal(err)
	}
	want := Report{Kernel: Kernel{6, 12}, Mode: Unified, Booted: true, PSI: true, Reclaim: true, Peak: true, Kill: true, Swap: true}
	if len(r.Missing) != 0 {
		t.Errorf("missing %v", r.Missing)
	}
	if r.Missing = nil; r.Kernel != want.Kernel || r.Mode != want.Mode || r.Booted != want.Booted || r.PSI != want.PSI ||
		r.Reclaim != want.Reclaim || r.Peak != want.Peak || r.Kill != want.Kill || r.Swap != want.Swap {
		t.Errorf("got %+v, want %+v", r, want)
	}
}

func TestProbeRequired(t *testing.T) {
	for name, tc := range map[string]struct {
		host    tree
		mode    cgroups.CGMode
		subtree string
		want    string
	}{
		"hybrid": {host(), cgroups.Hybrid, "/", "cgroup v2 memory controller: this host mounts cgroup v1 memory (hybrid); boot with systemd.unified_cgroup_hierarchy=1"},
		"legacy": {host(), cgroups.Legacy, "/", "cgroup v2 memory controller: this host mounts cgroup v1 (legacy); boot with systemd.unified_cgroup_hierarchy=1"},
		"none":   {host(), cgroups.Unavailable, "/", "cgroup v2 memory controller: no cgroup file system is mounted; mount -t cgroup2 none /sys/fs/cgroup, or give the container a cgroup namespace of its own"},
		"no controller": {
			host().with("cgroup/cgroup.controllers", "cpu io pids\n"), cgroups.Unified, "/",
			"cgroup v2 memory controller: the kernel does not offer it; boot with cgroup_enable=memory and without cgroup_disable=memory",
		},
		"a controller with memory in its name": {
			host().with("cgroup/cgroup.controllers", "cpu notmemory\n"), cgroups.Unified, "/",
			"cgroup v2 memory controller: the kernel does not offer it; boot with cgroup_enable=memory and without cgroup_disable=memory",
		},
		"not delegated": {
			host().with("cgroup/memsup.service/cgroup.controllers", "pids\n"), cgroups.Unified, "/memsup.service",
			"cgroup v2 memory controller: it is not delegated to /memsup.service; set Delegate=memory pids in the unit, or enable it in the parent's cgroup.subtree_control",
		},
		"old kernel": {
			host().with("proc/sys/kernel/osrelease", "5.10.0-30-amd64\n"), cgroups.Unified, "/",
			"kernel: this is 5.10 (needs kernel 5.15); upgrade the distribution",
		},
		"old and hybrid": {
			host().with("proc/sys/kernel/osrelease", "4.18.0-553.el8.x86_64\n"), cgroups.Hybrid, "/",
			"kernel: this is 4.18 (needs kernel 5.15); upgrade the distribution\ncgroup v2 memory controller: this host mounts cgroup v1 memory (hybrid); boot with systemd.unified_cgroup_hierarchy=1",
		},
	} {
		h := tc.host.plant(t, tc.mode)
		h.Subtree = tc.subtree
		_, err := Probe(h)
		if err == nil || err.Error() != tc.want {
			t.Errorf("%s:\ngot  %v\nwant %s", name, err, tc.want)
		}
		var missing *Error
		if !errors.Is(err, errors.ErrUnsupported) || !errors.As(err, &missing) || missing.Fix == "" {
			t.Errorf("%s: %v: want a feature error with a fix", name, err)
		}
	}
}

func TestProbeOptional(t *testing.T) {
	for name, tc := range map[string]struct {
		host tree
		want []string // features missing, in order
	}{
		"PSI compiled out or off": {host().with("proc/pressure/memory", "-"), []string{"PSI"}},
		"PSI off for cgroups":     {host().with("cgroup/system.slice/memory.pressure", "-"), []string{"PSI"}},
		"kernel 5.15, no swap": {
			host().with("proc/sys/kernel/osrelease", "5.15.0-122-generic\n", "proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n",
				"cgroup/system.slice/memory.reclaim", "-", "cgroup/system.slice/memory.peak", "-"),
			[]string{"memory.reclaim", "memory.peak", "swap"},
		},
		"files carried back to an old kernel": {host().with("proc/sys/kernel/osrelease", "5.15.0-122-generic\n"), nil},
		"no cgroup to look at: the version decides": {
			host().with("cgroup/system.slice/memory.current", "-", "cgroup/system.slice/memory.reclaim", "-"), nil,
		},
		"no cgroup to look at, old kernel": {
			host().with("cgroup/system.slice/memory.current", "-", "proc/sys/kernel/osrelease", "5.15.0\n"),
			[]string{"memory.reclaim", "memory.peak"},
		},
		"a kernel without swap": {host().with("proc/swaps", "-"), []string{"swap"}},
		"no systemd":            {host().with("run/systemd/system/.keep", "-"), nil},
	} {
		r, err := Probe(tc.host.plant(t, cgroups.Unified))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		for _, m := range r.Missing {
			got = append(got, m.Feature)
			if m.Fix == "" || m.Missing == "" {
				t.Errorf("%s: %+v: want what is missing and the fix", name, m)
			}
		}
		if strings.Join(got, ",") != strings.Join(tc.want, ",") {
			t.Errorf("%s: missing %v, want %v", name, got, tc.want)
		}
		if _, noSystemd := tc.host["run/systemd/system/.keep"]; r.Booted != noSystemd {
			t.Errorf("%s: booted %v", name, r.Booted)
		}
	}
}

// What cannot be looked at is an error, not something missing.
func TestProbeFails(t *testing.T) {
	for name, tc := range map[string]struct {
		host tree
		want error
	}{
		"no /proc":         {host().with("proc/sys/kernel/osrelease", "-"), fs.ErrNotExist},
		"odd version":      {host().with("proc/sys/kernel/osrelease", "linux\n"), nil},
		"no controllers":   {host().with("cgroup/cgroup.controllers", "-"), fs.ErrNotExist},
		"pressure is none": {host().with("proc/pressure/memory", "-", "proc/pressure/memory/x", ""), nil},
	} {
		_, err := Probe(tc.host.plant(t, cgroups.Unified))
		if err == nil || errors.Is(err, errors.ErrUnsupported) || tc.want != nil && !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
}

func TestSetSystemd(t *testing.T) {
	for version, want := range map[string]int{"257.7-1": 257, "249.11-0ubuntu3.12": 249, "258~rc1": 258, "252 (252.39-1~deb12u1)": 252} {
		var r Report
		if err := r.SetSystemd(version); err != nil || r.Systemd != want {
			t.Errorf("%q: %d, %v; want %d", version, r.Systemd, err, want)
		}
	}
	var r Report
	const old = "systemd: this is version 247 (needs systemd 249); upgrade the distribution"
	if err := r.SetSystemd("247.3-7+deb11u6"); !errors.Is(err, errors.ErrUnsupported) || err.Error() != old {
		t.Errorf("got %v, want %s", err, old)
	}
	for _, version := range []string{"", "v257", "-1"} {
		if err := r.SetSystemd(version); err == nil || errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%q: %v, want an error", version, err)
		}
	}
}

func FuzzParseKernel(f *testing.F) {
	for _, s := range []string{"6.12.48+deb13-cloud-amd64\n", "5.15.167.4-microsoft-standard-WSL2", "6.12-rc1", "7", ".1", "6.", "99999.1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		k, err := ParseKernel(s)
		if err != nil {
			if k != (Kernel{}) {
				t.Fatalf("%q: %v beside %v", s, k, err)
			}
			return
		}
		if back, err := ParseKernel(k.String()); err != nil || back != k {
			t.Fatalf("%q is %v, which reads back as %v, %v", s, k, back, err)
		}
		if k.Less(k) || !k.Less(Kernel{k.Major, k.Minor + 1}) || !k.Less(Kernel{k.Major + 1, 0}) {
			t.Fatalf("%v: order", k)
		}
	})
}

func FuzzParseSystemd(f *testing.F) {
	for _, s := range []string{"257.7-1", "249.11-0ubuntu3.12", "258~rc1", " 252 (x)\n", "v257", "-1", "99999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseSystemd(s)
		if err != nil && n != 0 || err == nil && (n < 0 || !strings.Contains(s, strconv.Itoa(n))) {
			t.Fatalf("%q is %d, %v", s, n, err)
		}
	})
}
