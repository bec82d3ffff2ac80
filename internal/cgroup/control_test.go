package cgroup

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/memsup/memsup/internal/feature"
	"github.com/memsup/memsup/internal/limit"
	"github.com/memsup/memsup/internal/psi"
)

// blank empties files, since a write to a regular file does not replace it as it
// does in cgroupfs.
func blank(tb testing.TB, root, path string, files ...string) {
	tb.Helper()
	for _, f := range files {
		set(tb, root, path, f, "")
	}
}

func TestSetLimitsKeepsAbsentMaxAndZeroApart(t *testing.T) {
	root := plant(t, "linux-6.12", apiServer)
	files := []string{"memory.min", "memory.low", "memory.high", "memory.max", "memory.swap.max"}
	blank(t, root, apiServer, files...)
	g := openGroup(t, root, apiServer)
	if err := g.SetLimits(limit.Set{Max: limit.Bytes(1 << 30), High: limit.Max, SwapMax: limit.Bytes(0)}); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"", "", "max", "1073741824", "0"} {
		if got := get(t, root, apiServer, files[i]); got != want {
			t.Errorf("%s: %q, want %q", files[i], got, want)
		}
	}
}

func TestSetLimitsWithoutSwapAccounting(t *testing.T) {
	root := plant(t, "linux-6.12", apiServer)
	blank(t, root, apiServer, "memory.max")
	drop(t, root, apiServer+"/memory.swap.max")
	g := openGroup(t, root, apiServer)
	if err := g.SetLimits(limit.Set{SwapMax: limit.Max, Max: limit.Max}); err != nil {
		t.Errorf("unlimited swap: %v", err)
	}
	var missing *feature.Error
	if err := g.SetLimits(limit.Set{SwapMax: limit.Bytes(0)}); !errors.As(err, &missing) {
		t.Errorf("limited swap: %v, want a feature error", err)
	}
}

func TestWrites(t *testing.T) {
	root := plant(t, "linux-6.12", apiServer)
	blank(t, root, apiServer, "memory.oom.group", "cgroup.freeze", "cgroup.procs")
	g := openGroup(t, root, apiServer)
	for _, tc := range []struct {
		file, want string
		write      func() error
	}{
		{"memory.oom.group", "1", func() error { return g.SetOOMGroup(true) }},
		{"memory.oom.group", "0", func() error { return g.SetOOMGroup(false) }},
		{"cgroup.freeze", "1", g.Freeze},
		{"cgroup.freeze", "0", g.Thaw},
		{"cgroup.kill", "1", g.Kill},
		{"cgroup.procs", "4242", func() error { return g.AddProcess(4242) }},
	} {
		if err := tc.write(); err != nil {
			t.Errorf("%s: %v", tc.file, err)
		}
		if got := get(t, root, apiServer, tc.file); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.file, got, tc.want)
		}
	}
}

func TestReclaim(t *testing.T) {
	root := plant(t, "linux-6.12", apiServer)
	g := openGroup(t, root, apiServer)
	if gained, err := g.Reclaim(t.Context(), 20<<20, SwappinessOf(0)); err != nil || gained != 0 {
		t.Errorf("gained %d, %v", gained, err)
	}
	if got, want := get(t, root, apiServer, "memory.reclaim"), "20971520 swappiness=0"; got != want {
		t.Errorf("wrote %q, want %q", got, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.Reclaim(ctx, 1<<30, KernelSwappiness); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestTooOldKernelNamesTheOneThatHasIt(t *testing.T) {
	root := plant(t, "linux-5.15", apiServer)
	drop(t, root, apiServer+"/cgroup.kill")
	g := openGroup(t, root, apiServer)
	_, err := g.Reclaim(t.Context(), 1<<20, KernelSwappiness)
	for need, err := range map[string]error{"kernel 5.19": err, "kernel 5.14": g.Kill()} {
		var missing *feature.Error
		if !errors.As(err, &missing) || missing.Need != need || !errors.Is(err, errors.ErrUnsupported) || errors.Is(err, ErrGone) {
			t.Errorf("%v, want one that needs %s", err, need)
		}
	}
}

func TestArmPressure(t *testing.T) {
	root := plant(t, "linux-6.12", apiServer)
	blank(t, root, apiServer, "memory.pressure")
	g := openGroup(t, root, apiServer, Lean())
	p, err := psi.NewPoller()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}()
	trigger := psi.Trigger{Kind: psi.Some, Stall: 150 * time.Millisecond, Window: time.Second}
	// The trigger arrives; waiting on a regular file is refused by epoll.
	if _, err := g.ArmPressure(p, trigger, "api-server"); !errors.Is(err, unix.EPERM) {
		t.Errorf("on a regular file: %v", err)
	}
	if got, want := get(t, root, apiServer, "memory.pressure"), trigger.String()+"\x00"; got != want {
		t.Errorf("wrote %q, want %q", got, want)
	}
	drop(t, root, apiServer+"/memory.pressure")
	if _, err := g.ArmPressure(p, trigger, "api-server"); !errors.Is(err, psi.ErrDisabled) {
		t.Errorf("without the file: %v, want ErrDisabled", err)
	}
	drop(t, root, apiServer)
	if _, err := g.ArmPressure(p, trigger, "api-server"); !errors.Is(err, ErrGone) {
		t.Errorf("without the cgroup: %v, want ErrGone", err)
	}
}

func TestAwait(t *testing.T) {
	root := plant(t, "linux-6.12", apiServer)
	g := openGroup(t, root, apiServer)
	seen := make(chan State)
	done := make(chan error)
	go func() {
		done <- g.Await(t.Context(), func(s State) bool {
			seen <- s
			return !s.Populated
		})
	}()
	if s := <-seen; !s.Populated {
		t.Fatalf("at first %+v", s)
	}
	// One write: a truncated file would be seen half-written.
	f := strings.Replace(get(t, root, apiServer, "cgroup.events"), "populated 1", "populated 0", 1)
	overwrite(t, root, apiServer, "cgroup.events", f+"\n")
	if s := <-seen; s.Populated {
		t.Errorf("then %+v", s)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAwaitObeysItsContext(t *testing.T) {
	g := openGroup(t, plant(t, "linux-6.12", apiServer), apiServer)
	ctx, cancel := context.WithCancel(t.Context())
	err := g.Await(ctx, func(State) bool { cancel(); return false })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
	if err := g.Await(ctx, func(State) bool { return false }); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled at once", err)
	}
}
