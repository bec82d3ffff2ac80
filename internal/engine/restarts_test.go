package engine

import (
	"strings"
	"testing"
	"time"

	"github.com/memsup/memsup/internal/limit"
	"github.com/memsup/memsup/internal/service"
)

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

func TestWhatNeverBeginsIsNotTriedWithoutEnd(t *testing.T) {
	h := newHost(t, nil)
	h.use(230)
	for range 3600 {
		if f := h.s.Services["api"].InFlight; f != nil {
			h.see(service.ActionDone{ID: f.Action.ID, Outcome: service.NotStarted, Detail: "no such driver"})
		}
		h.wait(time.Second)
		h.use(230)
	}
	if n := h.s.Services["api"].Actions; n < 60 || n > 70 {
		t.Errorf("%d tries in an hour", n)
	}
	if st, _ := h.s.Status("api", h.at()); st.Restarts.Used != 0 || st.Phase != service.Running && st.Phase != service.Restarting {
		t.Errorf("used %d, phase %s", st.Restarts.Used, st.Phase)
	}
}

func TestRestartOfItsOwnAccordForgivesNothing(t *testing.T) {
	h := newHost(t, func(s *service.Spec) { s.Restart.MaxRestarts = 1 })
	h.use(230)
	h.restarted()
	u := h.unit(service.Starting)
	u.AutoRestarts = 1 // systemd counts before the next life begins
	h.see(service.UnitChanged{Unit: u})
	h.life++
	u = h.unit(service.Running)
	u.AutoRestarts = 1
	h.see(service.UnitChanged{Unit: u})
	h.wait(30 * time.Minute)
	h.log = nil
	h.use(230)
	h.want("memory-critical firing", "memory-warning firing", "restarts-exhausted firing")
}

func TestFailedRestartEndsWhenSomebodyBringsItBack(t *testing.T) {
	for name, tc := range map[string]struct {
		left service.Phase // by the restart
		then func(h *host)
		want []string
	}{
		"somebody starts it": {service.Failed, func(h *host) { h.start() },
			[]string{"note unit-changed", "restart-failed resolved", "service-down resolved"}},
		"somebody stops it": {service.Failed, func(h *host) { h.see(service.UnitChanged{Unit: h.unit(service.Stopped)}) },
			[]string{"note unit-changed", "service-down resolved", "restart-failed resolved"}},
		"it runs on": {service.Running, func(h *host) {
			h.see(service.Measured{Incarnation: "life1", Sample: service.Sample{WorkingSet: 1, Limits: limit.Set{Max: limit.Bytes(mib)}}})
			h.log = nil
			h.boot, _ = h.s.Due()
			h.see(service.Tick{})
		}, []string{"restart-failed resolved"}},
		"a dependency failed": {service.Stopped, func(h *host) { h.boot, _ = h.s.Due(); h.see(service.Tick{}) },
			[]string{"begin api/restart/2"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, nil)
			h.use(230)
			h.see(service.ActionDone{ID: "api/restart/1", Outcome: service.Unfinished, Detail: "job failed", Unit: h.unit(tc.left)})
			h.log = nil
			tc.then(h)
			h.want(tc.want...)
		})
	}
}

func TestWhatWasReadBeforeSaysNothingNow(t *testing.T) {
	h := newHost(t, func(s *service.Spec) { s.Restart.MaxRestarts = 1 })
	h.use(230)
	past := h.unit(service.Running)
	h.restarted()
	h.log = nil
	h.see(service.UnitChanged{Unit: past})
	h.want()

	h.see(service.Asked{Kind: service.Restart, ID: "op-1", By: "uid 0"})
	h.life++
	early := h.unit(service.Running)
	h.see(service.UnitChanged{Unit: early})
	h.life++ // it fails at once and is started again, which is seen first
	u := h.unit(service.Running)
	u.AutoRestarts = 1
	h.see(service.UnitChanged{Unit: u})
	h.see(service.ActionDone{ID: "op-1", Outcome: service.Succeeded, Unit: early})
	h.log = nil
	h.use(230)
	h.want("memory-critical firing", "memory-warning firing")
}

func TestActionWhoseUnitCouldNotBeSeen(t *testing.T) {
	h := newHost(t, nil)
	h.use(230)
	h.see(service.ActionDone{ID: "api/restart/1", Outcome: service.Unfinished, Detail: "D-Bus is away"})
	if st, _ := h.s.Status("api", h.at()); st.Phase != service.Running || st.MainPID != 101 {
		t.Errorf("phase %q, main pid %d", st.Phase, st.MainPID)
	}
}

func TestServiceRemovedWhileItIsRestarted(t *testing.T) {
	h := newHost(t, nil)
	h.use(230)
	h.s.Configure(nil)
	if _, ok := h.s.Status("api", h.at()); ok || len(h.s.Names()) != 0 {
		t.Error("a removed service is shown")
	}
	h.s.Configure([]service.Spec{spec})
	h.log = nil
	h.use(230)
	h.want() // the restart is under way
	h.s.Configure(nil)
	h.restarted()
	if h.log = nil; len(h.s.Services) != 0 {
		t.Errorf("kept: %v", h.s.Services)
	}
}

func TestAnotherPolicyIsAnotherChance(t *testing.T) {
	h := newHost(t, func(s *service.Spec) { s.Restart.MaxRestarts = 1 })
	h.use(230)
	h.restarted()
	h.wait(10 * time.Minute)
	h.use(230)
	h.log = nil
	h.s.Configure([]service.Spec{spec}) // three
	h.use(230)
	h.want("restarts-exhausted resolved", "begin api/restart/2")
}

func TestLaunchedServiceThatWasStoppedCanBeStartedByHand(t *testing.T) {
	for _, tc := range []struct {
		launch *service.Launch
		want   string
	}{{nil, "note refused"}, {&service.Launch{}, "begin op-1"}} {
		h := newHost(t, func(s *service.Spec) { s.Launch = tc.launch })
		h.see(service.UnitChanged{Unit: service.Unit{Phase: service.Absent}})
		h.log = nil
		h.see(service.Asked{Kind: service.Restart, ID: "op-1", By: "uid 0"})
		h.want(tc.want)
	}
}

func TestLifeBetweenTheDecisionAndTheRestartForgivesNothing(t *testing.T) {
	h := newHost(t, func(s *service.Spec) { s.Restart.MaxRestarts = 1 })
	h.use(230)
	h.life++ // somebody restarts it, and it fails, before memsupd's restart begins
	h.see(service.UnitChanged{Unit: h.unit(service.Failed)})
	h.restarted()
	h.see(service.UnitChanged{Unit: h.unit(service.Running)})
	h.wait(10 * time.Minute)
	h.log = nil
	h.use(230)
	h.want("memory-critical firing", "memory-warning firing", "restarts-exhausted firing")
}

func TestLifeThatIsFirstSeenWhenItHasEnded(t *testing.T) {
	h := newHost(t, func(s *service.Spec) { s.Restart.MaxRestarts = 1 })
	h.use(230)
	h.restarted()
	for _, p := range []service.Phase{service.Starting, service.Running} {
		u := h.unit(p)
		u.Incarnation, u.AutoRestarts = "after "+string(p), 2 // counted before the next begins
		h.see(service.UnitChanged{Unit: u})
	}
	if n := len(h.s.Services["api"].Budget.Starts); n != 1 {
		t.Error("its restarts were forgiven, though nobody restarted it")
	}
}
