package supervise

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/memsup/memsup/internal/cgroup"
	"github.com/memsup/memsup/internal/service"
)

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
