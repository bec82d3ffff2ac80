package engine

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/memsup/memsup/internal/limit"
	"github.com/memsup/memsup/internal/service"
)

const mib = 1 << 20

// host drives a State as the supervisor would, on a clock of its own.
type host struct {
	t    *testing.T
	s    *State
	boot time.Duration
	kill uint64
	high uint64
	life int
	log  []string
}

var spec = service.Spec{
	Name: "api", Driver: service.Systemd, Unit: "api.service",
	Watermarks: service.DefaultWatermarks, Restart: service.DefaultRestart,
}

func newHost(t *testing.T, change func(*service.Spec)) *host {
	sp := spec
	if change != nil {
		change(&sp)
	}
	h := &host{t: t, s: New(), boot: time.Hour}
	h.s.Configure([]service.Spec{sp})
	h.start()
	return h
}

func (h *host) at() service.Instant {
	return service.Instant{Wall: time.Unix(1_700_000_000, 0).Add(h.boot), Boot: h.boot}
}

func (h *host) see(f service.Fact) []service.Decision {
	out := h.s.Step(service.Observation{At: h.at(), Service: "api", Fact: f})
	for _, d := range out {
		switch {
		case d.Alert != nil:
			h.log = append(h.log, fmt.Sprintf("%s %s", d.Alert.Rule, d.Alert.State))
		case d.Begin != nil:
			h.log = append(h.log, "begin "+d.Begin.ID)
		case d.End != nil:
			h.log = append(h.log, fmt.Sprintf("end %s %s", d.End.ID, d.End.Outcome))
		case d.Note != nil:
			h.log = append(h.log, "note "+d.Note.Kind)
		}
	}
	return out
}

func (h *host) unit(p service.Phase) service.Unit {
	return service.Unit{Phase: p, MainPID: 100 + h.life, Incarnation: fmt.Sprint("life", h.life), Cgroup: "/api"}
}

func (h *host) start() {
	h.life++
	h.kill, h.high = 0, 0
	h.see(service.UnitChanged{Unit: h.unit(service.Running)})
}

func (h *host) wait(d time.Duration) { h.boot += d }

// use takes a sample with the given working set of a 256 MiB Max.
func (h *host) use(workingSet int) []service.Decision {
	return h.see(service.Measured{Cause: service.Scheduled, Incarnation: fmt.Sprint("life", h.life), Sample: service.Sample{
		Current: uint64(workingSet) * mib, WorkingSet: uint64(workingSet) * mib,
		Events:   service.Events{OOMKill: h.kill, High: h.high},
		Pressure: &service.Pressure{Some: service.Stall{Avg10: 60}},
		Limits:   limit.Set{Max: limit.Bytes(256 * mib), High: limit.Bytes(200 * mib)},
	}})
}

// restarted ends the action in flight in a new life.
func (h *host) restarted() {
	id := h.s.Services["api"].InFlight.Action.ID
	h.life++
	h.kill, h.high = 0, 0
	h.see(service.ActionDone{ID: id, Outcome: service.Succeeded, Unit: h.unit(service.Running)})
}

func (h *host) want(lines ...string) {
	h.t.Helper()
	if diff := cmp.Diff(lines, h.log); diff != "" {
		h.t.Fatalf("decisions (-want +got):\n%s", diff)
	}
	h.log = nil
}

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

func TestCriticalRestartsOnceAndHoldsTheCooldown(t *testing.T) {
	h := newHost(t, nil)
	h.use(230)
	h.want("note adopted", "memory-critical firing", "memory-warning firing", "begin api/restart/1")
	h.use(231)
	h.want()
	h.wait(2 * time.Second)
	h.restarted()
	h.want("note unit-changed", "memory-critical resolved", "memory-warning resolved", "end api/restart/1 succeeded")
	h.use(230)
	h.want("memory-critical firing", "memory-warning firing")
	a := h.s.Services["api"].Alerts.Get(service.RuleCritical)
	if !strings.Contains(a.Waiting, "cool-down") {
		t.Errorf("waiting: %q", a.Waiting)
	}
	due, ok := h.s.Due()
	if !ok || due != h.boot+5*time.Minute {
		t.Fatalf("due %v, %v; want the end of the cool-down at %v", due, ok, h.boot+5*time.Minute)
	}
	h.boot = due
	h.see(service.Tick{})
	h.want("begin api/restart/2")
}

func TestGivesUpLoudlyAndOnce(t *testing.T) {
	h := newHost(t, nil)
	for range 3 {
		h.use(230)
		h.restarted()
		h.wait(6 * time.Minute)
	}
	h.log = nil
	h.use(230)
	h.want("memory-critical firing", "memory-warning firing", "restarts-exhausted firing")
	for range 1000 {
		h.wait(time.Minute)
		h.use(230)
	}
	h.want()
	h.see(service.Asked{Kind: service.Restart, ID: "op-1", By: "uid 0"})
	h.want("restarts-exhausted resolved", "begin op-1")
}

func TestDeployForgives(t *testing.T) {
	h := newHost(t, func(s *service.Spec) { s.Restart.MaxRestarts = 1 })
	h.use(230)
	h.restarted()
	h.wait(30 * time.Minute)
	h.use(230)
	h.log = nil
	h.start() // somebody restarted it
	h.want("note unit-changed", "restarts-exhausted resolved")
	h.use(230)
	h.want("begin api/restart/2")
}

func TestOOMKillIsToldOnce(t *testing.T) {
	victim := service.OOMKilled{Victim: service.Victim{PID: 101, Comm: "node"}}
	for name, order := range map[string]func(h *host){
		"log first":     func(h *host) { h.see(victim); h.kill = 1; h.use(100) },
		"counter first": func(h *host) { h.kill = 1; h.use(100); h.see(victim) },
		"log only":      func(h *host) { h.see(victim) },
		"then the unit's result": func(h *host) {
			h.see(victim)
			u := h.unit(service.Starting)
			u.Result, u.AutoRestarts = "oom-kill", 1
			h.see(service.UnitChanged{Unit: u})
		},
		"the unit's result, then the log": func(h *host) {
			u := h.unit(service.Starting)
			u.Result = "oom-kill"
			h.see(service.UnitChanged{Unit: u})
			h.see(victim)
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, nil)
			h.use(100)
			h.log = nil
			order(h)
			svc := h.s.Services["api"]
			if svc.OOM.Total != 1 {
				t.Errorf("counted %d kills", svc.OOM.Total)
			}
			a := svc.Alerts.Get(service.RuleOOMKill)
			if a == nil || len(a.Victims) != 1 || a.Victims[0].Comm != "node" || !strings.Contains(a.Message, "node (pid 101)") {
				t.Errorf("alert %+v", a)
			}
			if svc.Alerts.Count != 1 {
				t.Errorf("%d alerts raised: %q", svc.Alerts.Count, h.log)
			}
		})
	}
}

func TestKillsBeforeAdoptionAreNotNews(t *testing.T) {
	h := newHost(t, nil)
	h.kill = 4
	h.use(100)
	h.want("note adopted")
	h.kill = 5
	h.use(100)
	h.want("oom-kill firing")
}

func TestKilledWhileMemsupdWasAwayIsNews(t *testing.T) {
	h := newHost(t, nil)
	h.use(100)
	h.comeBack()
	h.see(service.UnitChanged{Unit: h.unit(service.Running)})
	h.log = nil
	h.kill = 1
	h.use(100)
	h.want("oom-kill firing")
}

func TestSurvivorOfAnOOMKillIsRestartedAfterItSettles(t *testing.T) {
	h := newHost(t, nil)
	h.use(100)
	h.kill = 1
	h.log = nil
	h.use(100)
	h.want("oom-kill firing")
	h.boot, _ = h.s.Due()
	h.see(service.Tick{})
	h.want("begin api/restart/1")
}

func TestKilledUnitThatSystemdRestartsIsLeftToIt(t *testing.T) {
	h := newHost(t, nil)
	h.use(100)
	h.kill = 1
	h.use(100)
	h.wait(time.Second)
	h.life++
	h.kill = 0
	u := h.unit(service.Running)
	u.AutoRestarts = 1
	h.log = nil
	h.see(service.UnitChanged{Unit: u})
	h.want("note unit-changed")
	for range 10 {
		h.wait(time.Minute)
		h.use(100)
	}
	h.want("oom-kill resolved")
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

// comeBack is kill -9 and a new daemon: only what was written is left.
func (h *host) comeBack() {
	b, err := json.Marshal(h.s)
	if err != nil {
		h.t.Fatal(err)
	}
	specs := []service.Spec{h.s.Services["api"].spec}
	h.s = &State{}
	if err := json.Unmarshal(b, h.s); err != nil {
		h.t.Fatal(err)
	}
	h.s.Configure(specs)
}

func TestKilledBeforeTheRestartReachedSystemd(t *testing.T) {
	h := newHost(t, nil)
	h.use(230)
	h.comeBack()
	h.log = nil
	h.see(service.UnitChanged{Unit: h.unit(service.Running)})
	h.see(service.ActionDone{ID: "api/restart/1", Outcome: service.NotStarted, Unit: h.unit(service.Running)})
	h.want("note adopted", "end api/restart/1 not-started")
	h.use(230)
	h.want("begin api/restart/2")
	if n := h.s.Services["api"].Budget.Total; n != 1 {
		t.Errorf("%d restarts counted, one happened", n)
	}
}

func TestKilledDuringTheRestart(t *testing.T) {
	h := newHost(t, nil)
	h.use(230)
	h.comeBack()
	h.life++
	h.log = nil
	h.see(service.UnitChanged{Unit: h.unit(service.Running)})
	h.see(service.ActionDone{ID: "api/restart/1", Outcome: service.Succeeded, Unit: h.unit(service.Running)})
	h.use(230)
	h.want("note unit-changed", "note adopted", "memory-critical resolved", "memory-warning resolved",
		"end api/restart/1 succeeded", "memory-critical firing", "memory-warning firing")
}

func TestKilledAfterTheRestartKeepsTheCooldown(t *testing.T) {
	h := newHost(t, nil)
	h.use(230)
	h.restarted()
	h.comeBack()
	h.see(service.UnitChanged{Unit: h.unit(service.Running)})
	h.log = nil
	h.use(230)
	h.want("memory-critical firing", "memory-warning firing")
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

func TestFailedRestartIsTriedAgainWithinTheBudget(t *testing.T) {
	h := newHost(t, nil)
	h.use(230)
	h.log = nil
	failed := h.unit(service.Failed)
	h.see(service.ActionDone{ID: "api/restart/1", Outcome: service.Unfinished, Detail: "it exits with 1", Unit: failed})
	h.want("service-down firing", "memory-critical resolved", "memory-warning resolved", "restart-failed firing", "end api/restart/1 failed")
	h.boot, _ = h.s.Due()
	h.see(service.Tick{})
	h.want("begin api/restart/2")
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

func TestNeighbourIsNeverTouched(t *testing.T) {
	h := newHost(t, nil)
	calm := spec
	calm.Name = "calm"
	h.s.Configure([]service.Spec{spec, calm})
	h.s.Step(service.Observation{At: h.at(), Service: "calm", Fact: service.UnitChanged{Unit: service.Unit{Phase: service.Running, Incarnation: "c"}}})
	for range 10 {
		h.wait(6 * time.Minute)
		for _, d := range h.use(250) {
			if d.Service != "api" {
				t.Fatalf("decision about %s: %+v", d.Service, d)
			}
		}
		if f := h.s.Services["api"].InFlight; f != nil {
			h.restarted()
		}
		for _, d := range h.s.Step(service.Observation{At: h.at(), Fact: service.Tick{}}) {
			if d.Service == "calm" {
				t.Fatalf("decision about calm: %+v", d)
			}
		}
	}
}

func TestUnmeasuredIsToldOncePerCauseAndShown(t *testing.T) {
	h := newHost(t, nil)
	h.use(100)
	h.log = nil
	for range 3 {
		h.see(service.Unmeasured{Cause: "open cgroup /api: permission denied"})
	}
	st, _ := h.s.Status("api", h.at())
	if !strings.Contains(st.Detail, "permission denied") || st.Sample == nil {
		t.Errorf("detail %q, sample %v", st.Detail, st.Sample)
	}
	h.use(100)
	if st, _ = h.s.Status("api", h.at()); st.Detail != "" {
		t.Errorf("measured again, the detail is %q", st.Detail)
	}
	if diff := cmp.Diff([]string{"note trouble", "note recovered"}, h.log); diff != "" {
		t.Error(diff)
	}
}
