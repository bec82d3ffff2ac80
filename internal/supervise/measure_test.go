package supervise

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/memsup/memsup/internal/kmsg"
	"github.com/memsup/memsup/internal/limit"
	"github.com/memsup/memsup/internal/service"
)

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

func TestChangedLimitsAreSeenInAStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		slow := spec
		slow.Interval = time.Minute
		w.run([]service.Spec{slow}, func() {
			w.mu.Lock()
			w.limits = limit.Set{Max: limit.Bytes(1500 << 20)}
			w.mu.Unlock()
			for i := range 1000 {
				if i == 100 {
					w.change(func(*service.Unit) {})
				}
				w.event()
				time.Sleep(time.Millisecond)
				synctest.Wait()
			}
			if st := w.status(); st.Limits.Max != limit.Bytes(1500<<20) {
				t.Errorf("limits %+v", st.Limits)
			}
		})
	})
}

func TestVictimIsNamedThoughTheUnitHasNoCgroupAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run([]service.Spec{spec}, func() {
			w.change(func(u *service.Unit) { u.Phase, u.Result, u.Cgroup = service.Failed, "oom-kill", "" })
			synctest.Wait()
			for _, path := range []string{cgroupPath + "/worker", cgroupPath + "-other", "/system.slice"} {
				w.s.killed(t.Context(), kmsg.Kill{TaskMemcg: path, Victim: service.Victim{PID: 100, Comm: "node"}})
			}
			synctest.Wait()
			st := w.status()
			if st.OOMKills != 1 || len(st.Alerts) != 2 || len(st.Alerts[0].Victims)+len(st.Alerts[1].Victims) != 1 {
				t.Errorf("%d kills, %+v", st.OOMKills, st.Alerts)
			}
		})
	})
}
