package engine

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/memsup/memsup/internal/limit"
	"github.com/memsup/memsup/internal/service"
)

func TestWatermarksWithHysteresis(t *testing.T) {
	h := newHost(t, func(s *service.Spec) { s.Restart.OnCritical = false })
	h.want("note adopted")
	h.use(199) // 77.7 %
	h.want()
	h.use(200) // 78.1 %
	h.want("memory-warning firing")
	h.use(195) // 76.2 %: within the hysteresis
	h.use(201)
	h.want()
	h.use(218) // 85.2 %
	h.want("memory-critical firing")
	h.use(150)
	h.want("memory-critical resolved", "memory-warning resolved")
}

func TestHighEventCountsAsTheWarningMark(t *testing.T) {
	h := newHost(t, nil)
	h.use(150)
	h.log = nil
	h.high = 1
	h.use(196) // below 78 %, but the kernel holds it at MemoryHigh
	h.want("memory-warning firing")
}

func TestPageCacheAtHighIsNoWarning(t *testing.T) {
	h := newHost(t, nil)
	h.use(50)
	h.log = nil
	for range 100 {
		h.high += 50
		h.wait(time.Second)
		h.use(60)
	}
	h.want()
}

func TestLivelockIsFoundAndTreated(t *testing.T) {
	h := newHost(t, nil)
	h.use(190)
	h.log = nil
	for range 21 {
		h.high += 100
		h.wait(time.Second)
		h.use(199)
	}
	h.want("memory-warning firing", "memory-livelock firing", "begin api/restart/1")
}

func TestDropInMovesTheMarks(t *testing.T) {
	h := newHost(t, nil)
	h.use(100)
	h.log = nil
	h.see(service.Measured{Incarnation: "life1", Sample: service.Sample{
		WorkingSet: 230 * mib, Current: 230 * mib, Limits: limit.Set{Max: limit.Bytes(512 * mib), High: limit.Bytes(200 * mib)},
	}})
	h.want("note limits-changed")
	st, _ := h.s.Status("api", h.at())
	if w, _ := st.Marks.Warning.Bytes(); w != 418_759_311 {
		t.Errorf("warning mark %v", st.Marks.Warning)
	}
}

func TestUnknownServiceAndStaleSampleAreIgnored(t *testing.T) {
	h := newHost(t, nil)
	h.log = nil
	if out := h.s.Step(service.Observation{Service: "who", Fact: service.Tick{}}); out != nil {
		t.Errorf("got %v", out)
	}
	h.see(service.Measured{Incarnation: "life0", Sample: service.Sample{WorkingSet: 255 * mib, Limits: limit.Set{Max: limit.Bytes(256 * mib)}}})
	h.want()
}

func TestUnmeasuredIsToldOncePerCauseAndShown(t *testing.T) {
	h := newHost(t, nil)
	h.use(100)
	h.log = nil
	for range 3 {
		h.see(service.Unmeasured{Cause: "open cgroup /api: permission denied"})
	}
	st, _ := h.s.Status("api", h.at())
	if !strings.Contains(st.Detail, "permission denied") || st.Unmeasured == "" || st.Sample == nil {
		t.Errorf("detail %q, sample %v", st.Detail, st.Sample)
	}
	h.use(100)
	if st, _ = h.s.Status("api", h.at()); st.Detail != "" || st.Unmeasured != "" {
		t.Errorf("measured again, the detail is %q", st.Detail)
	}
	if diff := cmp.Diff([]string{"note trouble", "note recovered"}, h.log); diff != "" {
		t.Error(diff)
	}
}

func TestHighBelowTheMarkDoesNotFlap(t *testing.T) {
	h := newHost(t, func(s *service.Spec) { s.Restart.OnCritical = false })
	h.pressure = 5
	h.use(150)
	h.log = nil
	for range 50 { // between two events there are samples without one
		h.high += 5
		h.wait(time.Second)
		h.use(191) // 74.6 % of Max, below where the mark clears
		h.wait(time.Second)
		h.use(191)
	}
	h.want("memory-warning firing")
	h.use(150)
	h.want("memory-warning resolved")
}

func TestBurstsAtHighAreNoLivelock(t *testing.T) {
	h := newHost(t, nil)
	h.use(150)
	for range 50 {
		h.high += 100
		h.use(199)
		h.wait(8 * time.Second)
		h.use(150)
		h.wait(8 * time.Second)
	}
	for _, line := range h.log {
		if strings.HasPrefix(line, "memory-livelock") || strings.HasPrefix(line, "begin") {
			t.Fatal(line)
		}
	}
}

// livelock drives the service into one, within the cool-down of a restart.
func (h *host) livelock() {
	h.use(230)
	h.restarted()
	h.use(190)
	for range 21 {
		h.high += 100
		h.wait(time.Second)
		h.use(199)
	}
	if h.s.Services["api"].Alerts.Get(service.RuleLivelock) == nil {
		h.t.Fatal("no livelock")
	}
	h.log = nil
}

func TestLivelockEndsWithItsLife(t *testing.T) {
	h := newHost(t, nil)
	h.livelock()
	h.start() // somebody else restarted it
	h.want("note unit-changed", "memory-livelock resolved")
	for range 100 {
		h.wait(10 * time.Second)
		h.use(50)
	}
	h.want("memory-warning resolved")
}

func TestLivelockOfAnEarlierDaemonIsHeldAgainstWhatIsSeen(t *testing.T) {
	h := newHost(t, nil)
	h.livelock()
	h.comeBack()
	h.see(service.UnitChanged{Unit: h.unit(service.Running)})
	h.wait(10 * time.Minute) // the cool-down is over
	h.log = nil
	for range 100 {
		h.use(50)
		h.wait(10 * time.Second)
	}
	h.want("memory-warning resolved", "memory-livelock resolved")
}

func TestLiftedHighIsNoChangeOfLimits(t *testing.T) {
	h := newHost(t, nil)
	h.use(230)
	h.log = nil
	h.see(service.Measured{Incarnation: "life1", Sample: service.Sample{
		WorkingSet: 230 * mib, Limits: limit.Set{Max: limit.Bytes(256 * mib), High: limit.Max},
	}})
	h.want()
}

func TestBlindMemsupdRestartsNothing(t *testing.T) {
	h := newHost(t, nil)
	h.use(230)
	h.restarted()
	h.use(230) // waits for the cool-down
	h.see(service.Unmeasured{Cause: "permission denied"})
	h.log = nil
	h.wait(10 * time.Minute)
	h.see(service.Tick{})
	h.want()
	h.use(230)
	h.want("note recovered", "begin api/restart/2")
}

func TestSampleThatComesAfterTheEndRaisesNothing(t *testing.T) {
	h := newHost(t, nil)
	h.use(100)
	h.log = nil
	h.see(service.UnitChanged{Unit: h.unit(service.Stopped)})
	h.use(230)
	h.want("note unit-changed")
}
