package engine

import (
	"fmt"
	"time"

	"pgregory.net/rapid"

	"github.com/memsup/memsup/internal/service"
)

func (h *sim) maybeTell(t *rapid.T) {
	if rapid.Bool().Draw(t, "told") {
		h.tellUnit()
	}
}

// die ends the processes of the unit: by the kernel, or by themselves.
func (h *sim) die(left service.Phase, ofWant, seen bool) {
	h.unit.Phase, h.unit.Result = left, "exit-code"
	if ofWant {
		h.kills++
		h.unit.Result = "oom-kill"
	}
	if seen {
		h.tellUnit()
	}
}

func (h *sim) ask() {
	h.byHand++
	was := h.flight
	if was == nil && h.told.Phase != "" && h.told.Phase != service.Absent {
		h.starts = nil
	}
	h.see(service.Asked{Kind: service.Restart, ID: fmt.Sprint("by-hand-", h.byHand), By: "uid 0"})
}

// act carries the action out, unless what it is about is not there any more.
func (h *sim) act(works bool) {
	if h.flight == nil || h.happened || h.lost || h.overtaken() {
		return
	}
	h.past = h.unit
	h.happened = true
	if works {
		h.reborn(service.Running, 0)
	} else {
		h.reborn(service.Failed, 0)
		h.unit.Result = "exit-code"
	}
	if h.flight.Alert != "" {
		h.starts = append(h.starts, h.begun)
	}
}

// overtaken is as in package supervise.
func (h *sim) overtaken() bool {
	return h.flight.Alert != "" && h.unit.Phase == service.Running && h.unit.Incarnation != h.flight.Before
}

// report tells the engine what came of the action. refused: systemd would not have it.
func (h *sim) report(refused bool) {
	a := h.flight
	if a == nil {
		return
	}
	d := service.ActionDone{ID: a.ID, Unit: h.unit, Outcome: service.Unfinished, Detail: "job failed"}
	switch {
	case !h.happened && h.overtaken() && !h.lost:
		d.Outcome = service.Skipped
	case h.unit.Phase == service.Running && h.unit.Incarnation != a.Before:
		d.Outcome = service.Succeeded
	case h.unit.Phase == service.Running && (h.lost || !refused):
		d.Outcome = service.NotStarted
	case !h.happened && !h.lost:
		d.Outcome, d.Unit = service.NotStarted, service.Unit{}
	}
	h.flight = nil
	if d.Outcome == service.Succeeded || d.Outcome == service.Unfinished {
		h.cools, h.coolsAt = true, h.boot
	}
	h.reported = append(h.reported, d)
	if d.Unit.Phase != "" && (h.told.Incarnation == a.Before || h.told.Incarnation == d.Unit.Incarnation) {
		h.learn() // the engine learns of the unit by it
	}
	h.see(d)
	h.tellUnit() // as the supervisor has it looked at again
}

// reboot ends everything; the boot clock begins anew.
func (h *sim) reboot(up int) {
	h.save()
	passed := time.Minute
	d := time.Duration(up)*time.Second - passed - h.boot
	h.comeBack()
	h.s.Rebase(d)
	h.twin.Rebase(d)
	h.boot += d + passed
	for _, at := range []*time.Duration{&h.killedAt, &h.heldAt, &h.coolsAt, &h.begun, &h.toldAt} {
		*at += d
	}
	for i := range h.starts {
		h.starts[i] += d
	}
	h.starts = nil // a person or a crash: the unit was started from outside
	h.reborn(service.Running, 0)
	h.save()
}

func (h *sim) reconfigure(restarts int) {
	h.configure(func(s *service.Spec) { s.Restart.MaxRestarts = restarts })
	h.save()
}
