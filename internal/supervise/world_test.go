package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/memsup/memsup/internal/cgroup"
	"github.com/memsup/memsup/internal/journal"
	"github.com/memsup/memsup/internal/limit"
	"github.com/memsup/memsup/internal/service"
	"github.com/memsup/memsup/internal/state"
)

// world is a host without a kernel: a tree of cgroup files, and one unit that
// does as it is told.
type world struct {
	t    *testing.T
	root string
	dir  string // of the state
	host Host
	s    *Supervisor

	mu       sync.Mutex
	unit     service.Unit
	limits   limit.Set
	lookErr  error
	restarts int
	applied  int
	starts   int
	onStart  func(*world) error
	restart  func(*world) error // what a restart does
	looked   func(*world)       // called after a look, nil for nothing
	changed  []chan struct{}
	notices  chan []cgroup.Notice
	keys     map[string]bool
}

const cgroupPath = "/system.slice/api.service"

var spec = service.Spec{
	Name: "api", Driver: service.Systemd, Unit: "api.service", Interval: time.Second,
	Watermarks: service.DefaultWatermarks, Restart: service.DefaultRestart,
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, root: t.TempDir(), dir: t.TempDir(), notices: make(chan []cgroup.Notice, 10), keys: map[string]bool{}}
	if err := os.CopyFS(filepath.Join(w.root, cgroupPath), os.DirFS("../cgroup/testdata/linux-6.12")); err != nil {
		t.Fatal(err)
	}
	w.file("memory.events", "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0\n")
	w.file("memory.high", "max\n")
	w.use(500)
	w.unit = service.Unit{Phase: service.Running, MainPID: 100, Incarnation: "life1", Cgroup: cgroupPath}
	w.restart = (*world).reborn
	return w
}

func (w *world) file(name, content string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.root, cgroupPath, name), []byte(content), 0o644); err != nil {
		w.t.Error(err)
	}
}

// use sets the working set, of a Max of 1024 MiB.
func (w *world) use(mib int) { w.file("memory.current", fmt.Sprintf("%d\n", 41943040+mib<<20)) }

// reborn is a restart that works: another life, little memory.
func (w *world) reborn() error {
	w.use(100)
	w.unit.MainPID++
	w.unit.Incarnation = fmt.Sprintf("life%d", w.unit.MainPID)
	return nil
}

// run runs a supervisor while f looks at it.
func (w *world) run(specs []service.Spec, f func()) {
	w.t.Helper()
	saved, err := state.Load(w.dir)
	if err != nil {
		w.t.Fatal(err)
	}
	writer, err := state.NewWriter(w.dir, "boot")
	if err != nil {
		w.t.Fatal(err)
	}
	began := time.Now()
	w.host = Host{
		CgroupRoot: w.root, Units: w, Memory: w, State: writer, Journal: &journal.Journal{},
		Now: func() service.Instant {
			return service.Instant{Wall: time.Now(), Boot: time.Hour + time.Since(began)}
		},
	}
	w.s = New(w.host, saved.Engine, specs)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.s.Run(ctx) }()
	synctest.Wait()
	f()
	cancel()
	if err := errors.Join(<-done, writer.Close()); err != nil {
		w.t.Error(err)
	}
}

// The world is Units, Unit and MemoryEvents.

func (w *world) Bind(service.Spec) (Unit, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := make(chan struct{}, 1)
	c <- struct{}{}
	w.changed = append(w.changed, c)
	return &bound{world: w, c: c}, nil
}

type bound struct {
	*world
	c chan struct{}
}

func (b *bound) Changed() <-chan struct{} { return b.c }
func (b *bound) Close() error             { return nil }

func (b *bound) Look(context.Context) (Look, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.looked != nil {
		defer b.looked(b.world)
	}
	return Look{Unit: b.unit, Limits: b.limits}, b.lookErr
}

func (b *bound) Start(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.starts++
	return b.onStart(b.world)
}

func (b *bound) Restart(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	saved, err := state.Load(b.dir)
	if err != nil || saved.Engine.Services["api"].InFlight == nil {
		b.t.Errorf("the restart began before its record was on disk: %v", err)
	}
	b.restarts++
	return b.restart(b.world)
}

func (b *bound) ApplyLimits(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.applied++
	n, _ := b.limits.Max.Bytes()
	b.file("memory.max", fmt.Sprintf("%d\n", n))
	return nil
}

// change changes the unit, as systemd would say it.
func (w *world) change(f func(*service.Unit)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f(&w.unit)
	for _, c := range w.changed {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

func (w *world) Add(_ *cgroup.Group, key string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keys[key] = true
	return nil
}

func (w *world) Remove(key string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.keys, key)
	return nil
}

func (w *world) Wait([]cgroup.Notice) ([]cgroup.Notice, error) {
	n, ok := <-w.notices
	if !ok {
		return nil, cgroup.ErrClosed
	}
	return n, nil
}

func (w *world) Close() error {
	close(w.notices)
	return nil
}

// event is the kernel's word that memory.events changed.
func (w *world) event() {
	w.mu.Lock()
	defer w.mu.Unlock()
	var n []cgroup.Notice
	for key := range w.keys {
		n = append(n, cgroup.Notice{Key: key, Change: cgroup.MemoryEvents})
	}
	w.notices <- n
}

// counted reads a counter of what was asked of the unit.
func (w *world) counted(n *int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return *n
}

func (w *world) status() service.Status {
	st, ok := w.s.Service("api")
	if !ok {
		w.t.Fatal("not supervised")
	}
	return st
}
