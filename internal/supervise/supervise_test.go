package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
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

func TestEventLeadsToARestartThatIsOnDiskFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		slow := spec
		slow.Interval = time.Minute
		w.run([]service.Spec{slow}, func() {
			if st := w.status(); st.Phase != service.Running || st.Sample == nil {
				t.Fatalf("at first: %+v", st)
			}
			w.use(900)
			w.event()
			synctest.Wait()
			if w.counted(&w.restarts) != 1 {
				t.Fatalf("%d restarts in the breath of the event", w.counted(&w.restarts))
			}
			time.Sleep(10 * time.Second)
			synctest.Wait()
			st := w.status()
			if st.Restarts.Total != 1 || st.Restarts.Last.Outcome != service.Succeeded || len(st.Alerts) != 0 {
				t.Errorf("afterwards: %+v", st)
			}
		})
	})
}

func TestStormOfEventsIsSampledAtABoundedRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		slow := spec
		slow.Interval = time.Minute
		w.run([]service.Spec{slow}, func() {
			before := len(w.s.Recent("api"))
			for range 1000 {
				w.event()
				time.Sleep(time.Millisecond)
				synctest.Wait()
			}
			if n := len(w.s.Recent("api")) - before; n < 9 || n > 11 {
				t.Errorf("%d samples of 1000 events in a second", n)
			}
		})
	})
}

func TestRestartThatLeavesTheUnitFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.restart = func(w *world) error {
			w.unit = service.Unit{Phase: service.Failed, Result: "exit-code", Incarnation: "life2"}
			return errors.New("job failed")
		}
		w.run([]service.Spec{spec}, func() {
			w.use(900)
			time.Sleep(20 * time.Second)
			synctest.Wait()
			st := w.status()
			if st.Restarts.Last == nil || st.Restarts.Last.Outcome != service.Unfinished || !strings.Contains(st.Restarts.Last.Detail, "job failed") {
				t.Errorf("last: %+v", st.Restarts.Last)
			}
			if w.counted(&w.restarts) != 1 {
				t.Errorf("%d restarts within the cool-down", w.counted(&w.restarts))
			}
			time.Sleep(6 * time.Minute)
			synctest.Wait()
			if w.counted(&w.restarts) != 2 {
				t.Errorf("%d restarts after the cool-down", w.counted(&w.restarts))
			}
		})
	})
}

func TestNextSupervisorTakesUpWhatWasBegun(t *testing.T) {
	for name, tc := range map[string]struct {
		happened bool
		outcome  service.Outcome
		restarts int // by both supervisors, in all
	}{
		"it never reached systemd": {false, service.Succeeded, 2},
		"it happened":              {true, service.Succeeded, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				// The first one is killed while the restart is on its way.
				hang := make(chan struct{})
				w.restart = func(w *world) error {
					w.mu.Unlock()
					<-hang
					w.mu.Lock()
					return nil
				}
				w.use(900)
				w.run([]service.Spec{spec}, func() {
					time.Sleep(3 * time.Second)
					if w.counted(&w.restarts) != 1 {
						t.Fatalf("%d restarts", w.counted(&w.restarts))
					}
					go func() { time.Sleep(time.Second); close(hang) }()
				})
				w.restart = (*world).reborn
				w.notices = make(chan []cgroup.Notice, 10)
				if tc.happened {
					if err := w.reborn(); err != nil {
						t.Fatal(err)
					}
				}
				w.run([]service.Spec{spec}, func() {
					time.Sleep(20 * time.Second)
					synctest.Wait()
					st := w.status()
					if w.counted(&w.restarts) != tc.restarts || st.Restarts.Total != 1 || st.Restarts.Last.Outcome != tc.outcome || st.Action != nil {
						t.Errorf("%d restarts; %+v", w.counted(&w.restarts), st.Restarts)
					}
				})
			})
		})
	}
}

func TestVanishedCgroupIsNoReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run([]service.Spec{spec}, func() {
			n := len(w.s.Recent("api"))
			if err := os.RemoveAll(filepath.Join(w.root, cgroupPath)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			for _, p := range w.s.Recent("api")[n:] {
				if p.Current == 0 {
					t.Error("a cgroup that is gone was read as 0 bytes")
				}
			}
		})
	})
}

func TestDriftedLimitsAreAppliedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run([]service.Spec{spec}, func() {
			w.mu.Lock()
			w.limits = limit.Set{Max: limit.Bytes(1500 << 20)}
			w.mu.Unlock()
			w.change(func(*service.Unit) {})
			time.Sleep(2 * time.Second)
			w.change(func(*service.Unit) {})
			time.Sleep(2 * time.Second)
			synctest.Wait()
			st := w.status()
			if w.counted(&w.applied) != 1 || st.Limits.Max != limit.Bytes(1500<<20) {
				t.Errorf("applied %d times, limits %+v", w.counted(&w.applied), st.Limits)
			}
		})
	})
}

func TestLaunchesOnceAndTakesAStopAtItsWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.unit = service.Unit{Phase: service.Absent}
		w.onStart = func(w *world) error {
			w.unit = service.Unit{Phase: service.Running, MainPID: 7, Incarnation: "l", Cgroup: cgroupPath}
			return nil
		}
		launched := spec
		launched.Launch = &service.Launch{Exec: []string{"/bin/true"}}
		w.run([]service.Spec{launched}, func() {
			time.Sleep(time.Second)
			synctest.Wait()
			if w.counted(&w.starts) != 1 || w.status().Phase != service.Running {
				t.Fatalf("started %d times, %s", w.counted(&w.starts), w.status().Phase)
			}
			w.change(func(u *service.Unit) { *u = service.Unit{Phase: service.Absent} })
			time.Sleep(time.Minute)
			synctest.Wait()
			if w.counted(&w.starts) != 1 {
				t.Error("it was started again behind the back of whoever stopped it")
			}
		})
	})
}

func TestLookFailsAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.lookErr = errors.New("no bus")
		w.run([]service.Spec{spec}, func() {
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if st := w.status(); st.Phase != service.Starting {
				t.Errorf("unseen, it is %s", st.Phase)
			}
			w.mu.Lock()
			w.lookErr = nil
			w.mu.Unlock()
			time.Sleep(3 * time.Second)
			synctest.Wait()
			if st := w.status(); st.Phase != service.Running {
				t.Errorf("seen, it is %s", st.Phase)
			}
		})
	})
}

func TestOperatorsRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run([]service.Spec{spec}, func() {
			if _, err := w.s.Restart(t.Context(), "who", "me"); !errors.Is(err, service.ErrUnknown) {
				t.Errorf("unknown: %v", err)
			}
			busy := make(chan error, 1)
			go func() {
				time.Sleep(time.Second)
				_, err := w.s.Restart(t.Context(), "api", "me")
				busy <- err
			}()
			r, err := w.s.Restart(t.Context(), "api", "me")
			if err != nil || r.Outcome != service.Succeeded || r.By != "me" {
				t.Errorf("got %+v, %v", r, err)
			}
			if err := <-busy; !errors.Is(err, service.ErrBusy) {
				t.Errorf("meanwhile: %v", err)
			}
			w.change(func(u *service.Unit) { *u = service.Unit{Phase: service.Masked} })
			synctest.Wait()
			if _, err := w.s.Restart(t.Context(), "api", "me"); !errors.Is(err, service.ErrUnavailable) {
				t.Errorf("masked: %v", err)
			}
		})
	})
}

func TestReconfigureKeepsWhatStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run([]service.Spec{spec}, func() {
			w.use(800)
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if len(w.status().Alerts) != 1 {
				t.Fatalf("alerts: %+v", w.status().Alerts)
			}
			id := w.status().Alerts[0].ID
			moved := spec
			moved.Watermarks.Warning = 0.5
			if err := w.s.Configure(t.Context(), []service.Spec{moved}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if got := w.status(); len(got.Alerts) != 1 || got.Alerts[0].ID != id || got.Alerts[0].Threshold != 0.5 {
				t.Errorf("alerts: %+v", got.Alerts)
			}
			if err := w.s.Configure(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if len(w.s.Services()) != 0 || len(w.keys) != 0 {
				t.Errorf("let go: %v, still watched: %v", w.s.Services(), w.keys)
			}
		})
	})
}

func TestUnreadableCgroupIsShownAndTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		dir := filepath.Join(w.root, cgroupPath)
		current, err := os.ReadFile(filepath.Join(dir, "memory.stat"))
		if err != nil {
			t.Fatal(err)
		}
		w.file("memory.stat", "anon nonsense\n")
		w.run([]service.Spec{spec}, func() {
			time.Sleep(5 * time.Second)
			synctest.Wait()
			if st := w.status(); st.Sample != nil || !strings.Contains(st.Detail, "memory.stat") {
				t.Errorf("unreadable: sample %v, detail %q", st.Sample, st.Detail)
			}
			w.file("memory.stat", string(current))
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if st := w.status(); st.Sample == nil || st.Detail != "" {
				t.Errorf("readable again: sample %v, detail %q", st.Sample, st.Detail)
			}
		})
	})
}

func TestServiceIsGivenRoomToEndIn(t *testing.T) {
	for name, happens := range map[string]bool{"it is restarted": true, "it is not, and runs on": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.file("memory.high", "838860800\n")
				high := func() string {
					b, err := os.ReadFile(filepath.Join(w.root, cgroupPath, "memory.high"))
					if err != nil {
						t.Fatal(err)
					}
					return strings.TrimSpace(string(b))
				}
				w.restart = func(w *world) error {
					if got := high(); !strings.HasPrefix(got, "max") { // a file of the kernel's has no rest
						t.Errorf("told to end while held at %s", got)
					}
					if !happens {
						return errors.New("no bus")
					}
					return w.reborn()
				}
				w.run([]service.Spec{spec}, func() {
					w.use(900)
					time.Sleep(10 * time.Second)
					synctest.Wait()
					if w.counted(&w.restarts) != 1 {
						t.Fatalf("%d restarts", w.counted(&w.restarts))
					}
					if got := high(); got != "838860800" {
						t.Errorf("afterwards memory.high is %s", got)
					}
				})
			})
		})
	}
}
