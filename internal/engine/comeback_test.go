package engine

import (
	"testing"

	"github.com/memsup/memsup/internal/service"
)

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
