package supervise

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/memsup/memsup/internal/cgroup"
	"github.com/memsup/memsup/internal/limit"
	"github.com/memsup/memsup/internal/service"
	"github.com/memsup/memsup/internal/unit"
)

// leaveBegun runs a supervisor that is killed while its restart is on the way.
func (w *world) leaveBegun() {
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
		go func() { time.Sleep(time.Second); close(hang) }()
	})
	w.restart = (*world).reborn
	w.notices = make(chan []cgroup.Notice, 10)
}

func TestJobThatEndsWithoutEffectIsWaitedForAndNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.leaveBegun()
		w.unit.JobPending = true
		w.run([]service.Spec{spec}, func() {
			time.Sleep(time.Minute)
			if w.counted(&w.restarts) != 1 {
				t.Error("it was restarted while systemd was about to")
			}
			w.change(func(u *service.Unit) { u.JobPending = false }) // somebody cancelled it
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if w.counted(&w.restarts) != 2 || w.status().Restarts.Total != 1 {
				t.Errorf("%d restarts; %+v", w.counted(&w.restarts), w.status().Restarts)
			}
		})
	})
}

func TestMemoryHighThatAKilledMemsupdLiftedIsPutBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.leaveBegun()
		w.use(100)
		w.limits = limit.Set{High: limit.Bytes(800 << 20)}
		w.file("memory.high", "max\n")
		w.run([]service.Spec{spec}, func() {
			time.Sleep(5 * time.Second)
			synctest.Wait()
			b, err := os.ReadFile(filepath.Join(w.root, cgroupPath, "memory.high"))
			if err != nil || strings.TrimSpace(string(b)) != fmt.Sprint(800<<20) {
				t.Errorf("memory.high is %q, %v", b, err)
			}
		})
	})
}

func TestServiceThatWasRestartedAMomentBeforeIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run([]service.Spec{spec}, func() {
			w.mu.Lock()
			w.unit.Incarnation = "life2" // the news is on its way
			w.looked = func(w *world) { w.use(100) }
			w.mu.Unlock()
			w.use(900)
			w.event()
			time.Sleep(time.Minute)
			synctest.Wait()
			st := w.status()
			if w.counted(&w.restarts) != 0 || st.Restarts.Used != 0 || st.Restarts.Last.Outcome != service.Skipped || len(st.Alerts) != 0 {
				t.Errorf("%d restarts; %+v", w.counted(&w.restarts), st)
			}
		})
	})
}

func TestRestartThatDidNotReachSystemdCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.restart = func(w *world) error {
			w.restart = (*world).reborn
			return fmt.Errorf("restart: %w", unit.ErrDisconnected)
		}
		w.run([]service.Spec{spec}, func() {
			w.use(900)
			time.Sleep(20 * time.Second)
			synctest.Wait()
			st := w.status()
			if w.counted(&w.restarts) != 2 || st.Restarts.Used != 1 || len(st.Alerts) != 0 {
				t.Errorf("%d restarts; %+v", w.counted(&w.restarts), st)
			}
		})
	})
}

func TestWhoStopsAServiceThatIsRestartedIsTakenAtTheirWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.restart = func(w *world) error {
			w.unit = service.Unit{Phase: service.Stopped, Incarnation: "life1"}
			return &unit.JobError{Unit: "api.service", Verb: "restart", Job: unit.Job{Result: "canceled"}}
		}
		w.run([]service.Spec{spec}, func() {
			w.use(900)
			time.Sleep(time.Hour)
			synctest.Wait()
			if st := w.status(); w.counted(&w.restarts) != 1 || st.Phase != service.Stopped || len(st.Alerts) != 0 {
				t.Errorf("%d restarts; %+v", w.counted(&w.restarts), st)
			}
		})
	})
}

func TestUnitIsLookedAtOnceMoreWhenARestartHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run([]service.Spec{spec}, func() {
			w.use(900)
			w.event()
			synctest.Wait()
			w.mu.Lock()
			began := time.Now()
			w.looked = func(w *world) { // it dies right after success was seen
				if time.Since(began) >= settle {
					w.unit.Phase, w.looked = service.Failed, nil
				}
			}
			w.mu.Unlock()
			time.Sleep(5 * time.Second)
			synctest.Wait()
			if st := w.status(); st.Phase != service.Failed {
				t.Errorf("it failed and is shown as %s", st.Phase)
			}
		})
	})
}
