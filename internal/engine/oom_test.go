package engine

import (
	"strings"
	"testing"
	"time"

	"github.com/memsup/memsup/internal/service"
)

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

func TestNameOfAKillThatComesWithTheNextLife(t *testing.T) {
	h := newHost(t, nil)
	h.use(100)
	u := h.unit(service.Starting)
	u.Result = "oom-kill"
	h.see(service.UnitChanged{Unit: u})
	h.life++
	u = h.unit(service.Running)
	u.AutoRestarts = 1
	h.see(service.UnitChanged{Unit: u})
	h.see(service.OOMKilled{Victim: service.Victim{PID: 101, Comm: "node"}})
	svc := h.s.Services["api"]
	if a := svc.Alerts.Get(service.RuleOOMKill); svc.OOM.Total != 1 || len(a.Victims) != 1 {
		t.Errorf("counted %d, alert %+v", svc.OOM.Total, a)
	}
	h.wait(time.Minute)
	h.kill = 1
	h.use(100)
	if svc.OOM.Total != 2 {
		t.Errorf("a kill of the new life: counted %d", svc.OOM.Total)
	}
}

func TestKillOfWhatWasSeenToStartIsNews(t *testing.T) {
	h := &host{t: t, s: New(), boot: time.Hour}
	h.s.Configure([]service.Spec{spec})
	h.see(service.UnitChanged{Unit: service.Unit{Phase: service.Absent}})
	h.start()
	h.log = nil
	h.kill = 1
	h.use(100)
	h.want("oom-kill firing")
}

func TestTreatmentThatNeverBeganIsStillDue(t *testing.T) {
	h := newHost(t, nil)
	h.kill = 0
	h.use(100)
	h.kill = 1
	h.use(100)
	h.boot, _ = h.s.Due()
	h.see(service.Tick{})
	h.comeBack()
	h.see(service.UnitChanged{Unit: h.unit(service.Running)})
	h.log = nil
	h.see(service.ActionDone{ID: "api/restart/1", Outcome: service.NotStarted, Unit: h.unit(service.Running)})
	h.want("end api/restart/1 not-started", "begin api/restart/2")
}

func TestKilledAgainAndAgainWhileItStarts(t *testing.T) {
	h := newHost(t, nil)
	h.use(100)
	for n := range uint32(3) { // it is never seen to run
		u := h.unit(service.Starting)
		u.Result, u.AutoRestarts = "oom-kill", n
		h.see(service.UnitChanged{Unit: u})
		h.life++
	}
	if n := h.s.Services["api"].OOM.Total; n != 3 {
		t.Errorf("counted %d kills", n)
	}
}
