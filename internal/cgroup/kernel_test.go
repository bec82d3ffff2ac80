//go:build e2e

// Tests on the real thing: they want root and a unified hierarchy, make cgroups of
// their own below its root and leave everything else alone.

package cgroup

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/memsup/memsup/internal/feature"
	"github.com/memsup/memsup/internal/limit"
	"github.com/memsup/memsup/internal/psi"
)

const (
	mount    = "/sys/fs/cgroup"
	childEnv = "MEMSUP_CGROUP_TEST_CHILD"
	mib      = 1 << 20
)

func init() { child = runChild }

// runChild is the process in the cgroup. It says "ready" when it holds what it was
// told to, and then waits to be killed, or touches it all again and again.
func runChild() bool {
	what, arg, _ := strings.Cut(os.Getenv(childEnv), " ")
	if what == "" {
		return false
	}
	check := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(1)
		}
	}
	var held []byte
	switch what {
	case "idle":
	case "anon", "churn":
		n, err := strconv.Atoi(arg)
		check(err)
		held, err = unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
		check(err)
	case "read": // files that nobody else has read, at a guess
		left, err := strconv.Atoi(arg)
		check(err)
		check(filepath.WalkDir("/usr", func(file string, d os.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				var b []byte
				b, err = os.ReadFile(file)
				if left -= len(b); left < 0 {
					return filepath.SkipAll
				}
			}
			return err
		}))
	}
	if what == "churn" {
		fmt.Println("ready")
	}
	for {
		for i := 0; i < len(held); i += 4096 {
			held[i]++
		}
		if what != "churn" {
			fmt.Println("ready")
			for {
				_ = unix.Pause() // EINTR
			}
		}
	}
}

// start runs a child in the group from its first instruction on.
func start(t *testing.T, g *Group, what string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), childEnv+"="+what)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Dir(func(fd int) error {
		cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: fd}
		return cmd.Start()
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // most tests have killed it
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil && !strings.HasPrefix(what, "anon") { // those may be OOM-killed on the way
		t.Fatalf("child %s: %q, %v", what, line, err)
	}
	return cmd
}

func subtree(t *testing.T) Subtree {
	t.Helper()
	path := "/memsup-test-" + strconv.Itoa(os.Getpid())
	if err := os.Mkdir(filepath.Join(mount, path), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// Children are removed by their own cleanups; the kernel may take a
		// moment to let go of the last process.
		var err error
		for range 100 {
			if err = os.Remove(filepath.Join(mount, path)); err == nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Error(err)
	})
	s, err := NewSubtree(mount, path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func create(t *testing.T, s Subtree, name string) *Group {
	t.Helper()
	g, err := s.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		end(t, s, g, name)
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// end kills all of g and deletes it.
func end(t *testing.T, s Subtree, g *Group, name string) {
	t.Helper()
	if err := g.Kill(); err != nil && !errors.Is(err, ErrGone) {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := g.Await(ctx, func(s State) bool { return !s.Populated }); err != nil && !errors.Is(err, ErrGone) {
		t.Error(err)
	}
	if err := s.Delete(name); err != nil {
		t.Error(err)
	}
}

func TestKernelLifeOfAGroup(t *testing.T) {
	s := subtree(t)
	g := create(t, s, "api-server")
	lean := openGroup(t, mount, g.Path(), Lean())
	start(t, g, "anon "+strconv.Itoa(64*mib))

	const held = 60 * mib // memory.stat is behind by what the CPUs have not flushed yet
	var r Reading
	for _, g := range []*Group{g, lean} {
		if err := g.Read(&r); err != nil {
			t.Fatal(err)
		}
		if r.Stat.Anon < held || r.Current < held || r.WorkingSet() < held || !r.Pressure.Some.Known || !r.CPU.Known {
			t.Errorf("got %+v", r)
		}
		if n, ok := r.Peak.Get(); !ok || n < r.Stat.Anon {
			t.Errorf("peak %+v", r.Peak)
		}
		if n, ok := r.Pids.Get(); !ok || n == 0 {
			t.Errorf("pids %+v", r.Pids)
		}
	}
	if n := testing.AllocsPerRun(100, func() {
		if err := g.Read(&r); err != nil {
			t.Fatal(err)
		}
	}); n != 0 && !raceEnabled {
		t.Errorf("%v allocations a reading", n)
	}
	if pids, err := g.Procs(nil); err != nil || len(pids) != 1 {
		t.Errorf("procs %v, %v", pids, err)
	} else if path, err := FromProc("/proc", pids[0]); err != nil || path != g.Path() {
		t.Errorf("its cgroup is %q, %v; want %q", path, err, g.Path())
	}

	if err := s.Delete("api-server"); err == nil {
		t.Error("deleted with a process in it")
	}
	end(t, s, g, "api-server")
	for _, g := range []*Group{g, lean} {
		if err := g.Read(&r); !errors.Is(err, ErrGone) {
			t.Errorf("Read of the removed group: %v, want ErrGone", err)
		}
		if _, err := g.ReadState(); !errors.Is(err, ErrGone) {
			t.Errorf("ReadState of the removed group: %v, want ErrGone", err)
		}
	}
	if again := create(t, s, "api-server"); again.ID() == g.ID() {
		t.Errorf("the new group has the old one's ID %d", g.ID())
	}
	if err := g.Read(&r); !errors.Is(err, ErrGone) {
		t.Errorf("Read with a namesake there: %v, want ErrGone", err)
	}
}

func TestKernelLimits(t *testing.T) {
	g := create(t, subtree(t), "x")
	want := limit.Set{Max: limit.Bytes(1 << 30), High: limit.Max, Low: limit.Bytes(16 * mib), Min: limit.Bytes(0), SwapMax: limit.Bytes(0)}
	if err := g.SetLimits(want); err != nil {
		t.Fatal(err)
	}
	if got, err := g.ReadLimits(); err != nil || got != want {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	if err := g.SetLimits(limit.Set{Max: limit.Bytes(100*mib + 1), High: limit.Bytes(90 * mib)}); err != nil {
		t.Fatal(err)
	}
	want.Max, want.High = limit.Bytes(100*mib), limit.Bytes(90*mib) // whole pages
	if got, err := g.ReadLimits(); err != nil || got != want {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	if err := g.SetOOMGroup(true); err != nil {
		t.Error(err)
	}
}

// More is asked than there is, so the kernel says EAGAIN; os.File would wait.
func TestKernelReclaim(t *testing.T) {
	g := create(t, subtree(t), "x")
	start(t, g, "read "+strconv.Itoa(128*mib))
	before, err := g.Current()
	if err != nil {
		t.Fatal(err)
	}
	gained, err := g.Reclaim(t.Context(), 1<<30, KernelSwappiness)
	after, cerr := g.Current()
	if err != nil || cerr != nil {
		t.Fatal(err, cerr)
	}
	t.Logf("reclaimed %s of %s, %s left", limit.Humanize(gained), limit.Humanize(before), limit.Humanize(after))
	if gained < 8*mib || gained > before {
		t.Errorf("gained %d of %d", gained, before)
	}
	_, err = g.Reclaim(t.Context(), mib, SwappinessOf(0))
	var missing *feature.Error
	if err != nil && !errors.As(err, &missing) { // before 6.11 it is not to be had
		t.Error(err)
	}
	t.Logf("with swappiness=0: %v", err)
}

func TestKernelSaysOOMKill(t *testing.T) {
	g := create(t, subtree(t), "x")
	if err := g.SetLimits(limit.Set{Max: limit.Bytes(32 * mib), SwapMax: limit.Bytes(0)}); err != nil {
		t.Fatal(err)
	}
	w := newWatcher(t)
	add(t, w, g, "x")                                                // armed before the process starts
	guard := time.AfterFunc(2*time.Minute, func() { _ = w.Close() }) // to fail rather than hang
	defer guard.Stop()
	cmd := start(t, g, "anon "+strconv.Itoa(64*mib))
	var e Events
	for e.OOMKill == 0 {
		wait(t, w)
		var err error
		if e, err = g.ReadEvents(); err != nil {
			t.Fatal(err)
		}
	}
	if e.Max == 0 || e.OOM == 0 {
		t.Errorf("events %+v", e)
	}
	_ = cmd.Wait()
	for {
		st, err := g.ReadState()
		if err != nil {
			t.Fatal(err)
		}
		if !st.Populated {
			break
		}
		wait(t, w) // cgroup.events says that the last process has left
	}
}

func TestKernelPressure(t *testing.T) {
	s := subtree(t)
	g := create(t, s, "x")
	p, err := psi.NewPoller()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}()
	trigger := psi.Trigger{Kind: psi.Some, Stall: 50 * time.Millisecond, Window: time.Second}
	if _, err := g.ArmPressure(p, trigger, "x"); err != nil {
		t.Fatal(err)
	}
	if err := g.SetLimits(limit.Set{High: limit.Bytes(16 * mib), SwapMax: limit.Bytes(0)}); err != nil {
		t.Fatal(err)
	}
	guard := time.AfterFunc(2*time.Minute, func() { _ = p.Close() })
	defer guard.Stop()
	start(t, g, "churn "+strconv.Itoa(64*mib))
	events, err := p.Wait(nil)
	if want := (psi.Event{Key: "x", Trigger: trigger}); err != nil || !slices.Equal(events, []psi.Event{want}) {
		t.Fatalf("got %+v, %v; want %+v", events, err, want)
	}
	if now, err := g.ReadPressure(); err != nil || now.Some.Total < 50*time.Millisecond {
		t.Errorf("pressure %+v, %v", now, err)
	}
	end(t, s, g, "x")
	for {
		if events, err = p.Wait(events); err != nil {
			t.Fatal(err)
		}
		if events[len(events)-1].Gone {
			break
		}
	}
	if len(events) != 1 || events[0].Key != "x" {
		t.Errorf("got %+v", events)
	}
	if _, err := g.ArmPressure(p, trigger, "x"); !errors.Is(err, ErrGone) {
		t.Errorf("arming on the removed group: %v, want ErrGone", err)
	}
}

// Without CAP_SYS_RESOURCE, a trigger's window is a multiple of 2 s.
func TestKernelPressureUnprivileged(t *testing.T) {
	g := create(t, subtree(t), "x")
	p, err := psi.NewPoller()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}()
	done := make(chan struct{})
	go func() { // on a thread of its own, which ends with its lesser rights
		defer close(done)
		runtime.LockOSThread()
		if err := dropSysResource(); err != nil {
			t.Error(err)
			return
		}
		_, err := g.ArmPressure(p, psi.Trigger{Kind: psi.Some, Stall: 100 * time.Millisecond, Window: time.Second}, "x")
		if !errors.Is(err, psi.ErrPrivilege) {
			t.Errorf("window of 1 s: %v, want ErrPrivilege", err)
		}
		if _, err := g.ArmPressure(p, psi.Trigger{Kind: psi.Some, Stall: 100 * time.Millisecond, Window: 2 * time.Second}, "x"); err != nil {
			t.Errorf("window of 2 s: %v", err)
		}
	}()
	<-done
}

// dropSysResource takes CAP_SYS_RESOURCE from the calling thread (capset(2)).
func dropSysResource() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return err
	}
	data[0].Effective &^= 1 << unix.CAP_SYS_RESOURCE
	return unix.Capset(&header, &data[0])
}

func TestKernelFreeze(t *testing.T) {
	g := create(t, subtree(t), "x")
	start(t, g, "idle")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := g.Freeze(); err != nil {
		t.Fatal(err)
	}
	if err := g.Await(ctx, func(s State) bool { return s.Frozen }); err != nil {
		t.Fatal(err)
	}
	if err := g.Thaw(); err != nil {
		t.Fatal(err)
	}
	if err := g.Await(ctx, func(s State) bool { return !s.Frozen }); err != nil {
		t.Fatal(err)
	}
}

// cgroup.pressure (since 6.1) hides a living group's pressure files.
func TestKernelHidesPressure(t *testing.T) {
	g := create(t, subtree(t), "x")
	if err := g.write("cgroup.pressure", "0"); err != nil {
		t.Fatal(err)
	}
	var r Reading
	if err := g.Read(&r); err != nil || r.Pressure != (psi.Pressure{}) {
		t.Errorf("pressure %+v, %v; want it absent", r.Pressure, err)
	}
	lean := openGroup(t, mount, g.Path())
	if _, err := lean.ReadPressure(); !errors.Is(err, psi.ErrDisabled) {
		t.Errorf("%v, want ErrDisabled", err)
	}
}

func TestKernelVacate(t *testing.T) {
	s := subtree(t)
	own := openGroup(t, mount, strings.TrimSuffix(s.Path(""), "/"))
	start(t, own, "idle")
	if g, err := s.Create("x"); !errors.Is(err, unix.EBUSY) {
		t.Errorf("Create beside a process: %v, %v; want EBUSY", g, err)
	}
	if err := s.Vacate("memsupd"); err != nil {
		t.Fatal(err)
	}
	create(t, s, "x") // which gives its siblings their memory files
	leaf := openGroup(t, mount, s.Path("memsupd"))
	if pids, err := leaf.Procs(nil); err != nil || len(pids) != 1 {
		t.Errorf("the leaf has %v, %v", pids, err)
	}
	end(t, s, leaf, "memsupd")
}

func TestKernelProbe(t *testing.T) {
	r, err := feature.Probe(feature.ThisHost())
	if err != nil || r.Mode != feature.Unified || !r.PSI || !r.Reclaim || !r.Peak || !r.Kill {
		t.Errorf("got %+v, %v", r, err)
	}
	for _, m := range r.Missing {
		t.Log(m)
	}
}
