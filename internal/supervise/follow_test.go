package supervise

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/memsup/memsup/internal/limit"
	"github.com/memsup/memsup/internal/service"
	"github.com/memsup/memsup/internal/unit"
)

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

func TestLaunchThatDidNotReachSystemdIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.unit = service.Unit{Phase: service.Absent}
		w.onStart = func(w *world) error {
			if w.starts == 1 {
				return fmt.Errorf("launch: %w", unit.ErrDisconnected)
			}
			w.unit = service.Unit{Phase: service.Running, MainPID: 7, Incarnation: "l", Cgroup: cgroupPath}
			return nil
		}
		launched := spec
		launched.Launch = &service.Launch{Exec: []string{"/bin/true"}}
		w.run([]service.Spec{launched}, func() {
			time.Sleep(5 * time.Second)
			synctest.Wait()
			if w.counted(&w.starts) != 2 || w.status().Phase != service.Running {
				t.Errorf("started %d times, %s", w.counted(&w.starts), w.status().Phase)
			}
		})
	})
}

func TestLaunchedWithOtherSettings(t *testing.T) {
	now := spec
	now.Launch = &service.Launch{Exec: []string{"/bin/a"}}
	other := now
	other.Launch = &service.Launch{Exec: []string{"/bin/a", "-v"}}
	limited := now
	limited.Limits.Max = limit.Bytes(1 << 30)
	file := filepath.Join(t.TempDir(), "memsup-api.service")
	if err := os.WriteFile(file, []byte("[Unit]\nDescription="+description(now)+"\n\n[Service]\nExecStart=/bin/a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, file string
		spec       service.Spec
		want       bool
	}{
		{"the same", file, now, false},
		{"another command line", file, other, true},
		{"another limit", file, limited, true},
		{"unreadable", file + ".gone", other, false},
	} {
		if got := outdated(tc.file, description(tc.spec)); got != tc.want {
			t.Errorf("%s: outdated %v", tc.name, got)
		}
	}
}
