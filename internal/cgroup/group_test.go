package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/memsup/memsup/internal/feature"
	"github.com/memsup/memsup/internal/limit"
	"github.com/memsup/memsup/internal/psi"
)

func TestReadEachKernel(t *testing.T) {
	for _, kernel := range kernels {
		for name, opts := range map[string][]Option{"kept": nil, "lean": {Lean()}} {
			t.Run(kernel+"/"+name, func(t *testing.T) {
				g := openGroup(t, plant(t, kernel, apiServer), apiServer, opts...)
				r := Reading{Peak: Known(1)} // what the last reading left
				if err := g.Read(&r); err != nil {
					t.Fatal(err)
				}
				old := kernel == "linux-5.15"
				if _, known := r.Peak.Get(); known == old {
					t.Errorf("peak %+v", r.Peak)
				}
				if _, known := r.Events.OOMGroupKill.Get(); known == old {
					t.Errorf("oom_group_kill %+v", r.Events.OOMGroupKill)
				}
				if r.Current != 256<<20 || r.Swap != Known(0) || r.Pids != Known(11) {
					t.Errorf("current %d, swap %+v, pids %+v", r.Current, r.Swap, r.Pids)
				}
				if r.Stat.Anon != 184557568 || r.Events.OOMKill != 1 || r.CPU.Usage != 2184341*time.Microsecond {
					t.Errorf("stat %+v, events %+v, cpu %+v", r.Stat, r.Events, r.CPU)
				}
				if want := (psi.Stall{Known: true, Avg10: 1.25, Avg60: 0.4, Avg300: 0.09, Total: 1834211 * time.Microsecond}); r.Pressure.Some != want {
					t.Errorf("pressure %+v, want %+v", r.Pressure.Some, want)
				}
				if got, want := r.WorkingSet(), uint64(256<<20-41943040); got != want {
					t.Errorf("working set %d, want %d", got, want)
				}
			})
		}
	}
}

func TestWorkingSetIsNeverNegative(t *testing.T) {
	r := Reading{Current: 4096, Stat: Stat{InactiveFile: 8192}}
	if got := r.WorkingSet(); got != 0 {
		t.Errorf("%d, want 0", got)
	}
}

func TestReadAllocatesNothing(t *testing.T) {
	g := openGroup(t, plant(t, "linux-6.12", apiServer), apiServer)
	var r Reading
	n := testing.AllocsPerRun(100, func() {
		if err := g.Read(&r); err != nil {
			t.Fatal(err)
		}
	})
	// The race detector makes sync.Pool drop buffers at random.
	if n != 0 && !raceEnabled {
		t.Errorf("%v allocations a reading", n)
	}
}

// A file that this kernel or cgroup does not have leaves its field absent.
func TestAbsentIsNotZero(t *testing.T) {
	root := plant(t, "linux-6.12", apiServer)
	for _, file := range []string{"memory.swap.current", "memory.swap.max", "memory.peak", "memory.pressure", "pids.current"} {
		drop(t, root, apiServer+"/"+file)
	}
	g := openGroup(t, root, apiServer)
	var r Reading
	if err := g.Read(&r); err != nil {
		t.Fatal(err)
	}
	if r.Swap != (Amount{}) || r.Peak != (Amount{}) || r.Pids != (Amount{}) || r.Pressure != (psi.Pressure{}) {
		t.Errorf("got %+v", r)
	}
	if _, err := g.ReadPressure(); !errors.Is(err, psi.ErrDisabled) {
		t.Errorf("pressure: %v, want ErrDisabled", err)
	}
	limits, err := g.ReadLimits()
	if err != nil || !limits.SwapMax.IsAbsent() || limits.Max != limit.Bytes(1<<30) {
		t.Errorf("limits %v, %v", limits, err)
	}
}

// cgroup.pressure=0 hides the pressure files of a living cgroup.
func TestFileHiddenLater(t *testing.T) {
	root := plant(t, "linux-6.12", apiServer)
	g := openGroup(t, root, apiServer, Lean())
	drop(t, root, apiServer+"/memory.pressure")
	var r Reading
	if err := g.Read(&r); err != nil || r.Pressure != (psi.Pressure{}) || r.Current != 256<<20 {
		t.Errorf("got %+v, %v", r, err)
	}
}

// A failed read is not zero.
func TestReadFails(t *testing.T) {
	for file, content := range map[string]string{
		"memory.current":      "",
		"memory.stat":         "anon 4096\n",
		"memory.events":       "low 0\n",
		"memory.swap.current": "max\n",
		"memory.pressure":     "some\n",
		"cpu.stat":            "usage_usec 1\n",
	} {
		root := plant(t, "linux-6.12", apiServer)
		set(t, root, apiServer, file, content)
		g := openGroup(t, root, apiServer)
		var r Reading
		if err := g.Read(&r); err == nil || !strings.Contains(err.Error(), apiServer+": "+file+": ") {
			t.Errorf("%s with %q: %v, want an error that names both", file, content, err)
		}
	}
}

// An errno of the kernel's is handed on, in required and in optional files.
func TestReadHandsErrnosOn(t *testing.T) {
	for _, file := range []int{current, stat, pressure} {
		g := openGroup(t, plant(t, "linux-6.12", apiServer), apiServer)
		dir, err := openat(unix.AT_FDCWD, t.TempDir(), unix.O_RDONLY|unix.O_DIRECTORY)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Dup3(dir, g.kept[file], unix.O_CLOEXEC); err != nil { // reads EISDIR
			t.Fatal(err)
		}
		if err := unix.Close(dir); err != nil {
			t.Fatal(err)
		}
		var r Reading
		if err := g.Read(&r); !errors.Is(err, unix.EISDIR) {
			t.Errorf("%s: %v, want EISDIR", files[file].name, err)
		}
	}
}

func TestLongFileIsReadWhole(t *testing.T) {
	root := plant(t, "linux-6.12", apiServer)
	want := get(t, root, apiServer, "memory.stat")
	var b strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&b, "later_kernel_%d 1\n", i)
	}
	set(t, root, apiServer, "memory.stat", b.String()+want+"\n")
	g := openGroup(t, root, apiServer)
	var r Reading
	if err := g.Read(&r); err != nil || r.Stat.InactiveFile != 41943040 {
		t.Errorf("got %+v, %v", r.Stat, err)
	}
	set(t, root, apiServer, "memory.stat", strings.Repeat("x", bufferMost))
	if err := g.Read(&r); err == nil {
		t.Error("a file without end was read")
	}
}

func TestGone(t *testing.T) {
	for _, err := range []error{unix.ENOENT, unix.ENODEV, fmt.Errorf("read: %w", unix.ENODEV)} {
		if got := gone(err); !errors.Is(got, ErrGone) || !errors.Is(got, fs.ErrNotExist) {
			t.Errorf("%v became %v", err, got)
		}
	}
	if got := gone(unix.EIO); !errors.Is(got, unix.EIO) {
		t.Errorf("EIO became %v", got)
	}
	root := plant(t, "linux-6.12", apiServer)
	g := openGroup(t, root, apiServer, Lean())
	drop(t, root, apiServer)
	// Another one at the same path is another cgroup.
	plantAt(t, root, "linux-6.12", apiServer)
	var r Reading
	for name, read := range map[string]func() error{
		"Read":       func() error { return g.Read(&r) },
		"Current":    func() error { _, err := g.Current(); return err },
		"ReadEvents": func() error { _, err := g.ReadEvents(); return err },
		"ReadLocal":  func() error { _, err := g.ReadLocalEvents(); return err },
		"ReadState":  func() error { _, err := g.ReadState(); return err },
		"ReadLimits": func() error { _, err := g.ReadLimits(); return err },
		"Procs":      func() error { _, err := g.Procs(nil); return err },
		"SetLimits":  func() error { return g.SetLimits(limit.Set{Max: limit.Max}) },
		"Kill":       g.Kill,
		"Freeze":     g.Freeze,
		"Reclaim":    func() error { _, err := g.Reclaim(t.Context(), 1, KernelSwappiness); return err },
		"Await":      func() error { return g.Await(t.Context(), func(State) bool { return true }) },
	} {
		if err := read(); !errors.Is(err, ErrGone) {
			t.Errorf("%s: %v, want ErrGone", name, err)
		}
	}
	// The open handle keeps the inode, and with it the number.
	if again := openGroup(t, root, apiServer); again.ID() == g.ID() {
		t.Errorf("both have ID %d", g.ID())
	}
}

func TestClosed(t *testing.T) {
	g, err := Open(plant(t, "linux-6.12", apiServer), apiServer)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var r Reading
	if err := g.Read(&r); !errors.Is(err, ErrClosed) {
		t.Errorf("Read: %v, want ErrClosed", err)
	}
	if err := g.Kill(); !errors.Is(err, ErrClosed) {
		t.Errorf("Kill: %v, want ErrClosed", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	root := plant(t, "linux-6.12", apiServer)
	outside := t.TempDir()
	plantAt(t, outside, "linux-6.12", "/x")
	if err := os.Symlink(filepath.Join(outside, "x"), filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		"", "memsup.slice", "/..", "/../x", "/memsup.slice/../../etc", "/memsup.slice/", "//memsup.slice", "/./memsup.slice",
		"/memsup.slice\x00/x", "/link", apiServer + "/memory.current",
	} {
		g, err := Open(root, path)
		if err == nil || errors.Is(err, ErrGone) {
			t.Errorf("%q: opened %v, %v; want a refusal", path, g, err)
		}
	}
}

func TestOpenSaysWhatIsMissing(t *testing.T) {
	root := plant(t, "linux-6.12", apiServer)
	if _, err := Open(root, "/memsup.slice/other.service"); !errors.Is(err, ErrGone) {
		t.Errorf("no such cgroup: %v, want ErrGone", err)
	}
	var missing *feature.Error
	drop(t, root, apiServer+"/memory.current")
	if _, err := Open(root, apiServer); !errors.As(err, &missing) || !strings.Contains(missing.Fix, "MemoryAccounting=yes") {
		t.Errorf("no controller: %v", err)
	}
	set(t, root, "/", "cgroup.procs", "")
	if _, err := Open(root, "/"); !errors.As(err, &missing) {
		t.Errorf("the root: %v", err)
	}
	if _, err := Open(filepath.Join(root, "nowhere"), apiServer); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no root: %v", err)
	}
}

func TestPartialReads(t *testing.T) {
	g := openGroup(t, plant(t, "linux-6.12", apiServer), apiServer)
	if n, err := g.Current(); err != nil || n != 256<<20 {
		t.Errorf("Current %d, %v", n, err)
	}
	if e, err := g.ReadEvents(); err != nil || e.OOMKill != 1 {
		t.Errorf("ReadEvents %+v, %v", e, err)
	}
	if e, err := g.ReadLocalEvents(); err != nil || e.OOMKill != 1 {
		t.Errorf("ReadLocalEvents %+v, %v", e, err)
	}
	if p, err := g.ReadPressure(); err != nil || p.Some.Avg10 != 1.25 {
		t.Errorf("ReadPressure %+v, %v", p, err)
	}
	if s, err := g.ReadState(); err != nil || !s.Populated || s.Frozen {
		t.Errorf("ReadState %+v, %v", s, err)
	}
	if pids, err := g.Procs(make([]int, 5)); err != nil || len(pids) != 2 || pids[0] != 4242 {
		t.Errorf("Procs %v, %v", pids, err)
	}
	want := limit.Set{Min: limit.Bytes(0), Low: limit.Bytes(128 << 20), High: limit.Bytes(837402624), Max: limit.Bytes(1 << 30), SwapMax: limit.Bytes(128 << 20)}
	if got, err := g.ReadLimits(); err != nil || got != want {
		t.Errorf("ReadLimits %v, %v; want %v", got, err, want)
	}
	if g.Path() != apiServer || g.ID() == 0 {
		t.Errorf("path %q, ID %d", g.Path(), g.ID())
	}
}

func TestFromProc(t *testing.T) {
	proc := t.TempDir()
	if err := os.MkdirAll(filepath.Join(proc, "4242"), 0o755); err != nil {
		t.Fatal(err)
	}
	set(t, proc, "4242", "cgroup", "0::"+apiServer+"\n")
	if got, err := FromProc(proc, 4242); err != nil || got != apiServer {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := FromProc(proc, 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such process: %v", err)
	}
}
