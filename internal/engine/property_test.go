package engine

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/memsup/memsup/internal/service"
)

// TestWhateverHappens lets anything happen to a service and to memsupd and holds
// what memsupd decides against what it promises.
func TestWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newSim(t)
		t.Repeat(map[string]func(*rapid.T){
			"time passes": func(t *rapid.T) {
				top := rapid.SampledFrom([]int{3, 60, 600, 7200}).Draw(t, "at most")
				h.boot += time.Duration(rapid.IntRange(1, top).Draw(t, "seconds")) * time.Second
			},
			"time is up": func(*rapid.T) {
				if due, ok := h.s.Due(); ok {
					h.boot = due
					h.see(service.Tick{})
				}
			},
			"use": func(t *rapid.T) {
				h.use = rapid.SampledFrom([]int{50, 150, 198, 215, 230, 250}).Draw(t, "MiB")
				h.measure()
			},
			"high": func(t *rapid.T) {
				h.use = rapid.SampledFrom([]int{185, 195, 199}).Draw(t, "MiB")
				for range rapid.IntRange(1, 30).Draw(t, "seconds") {
					h.boot += time.Second
					h.high += 10
					h.measure()
				}
			},
			"it leaks, is treated and cools down": func(*rapid.T) {
				h.use = 230
				h.measure()
				h.act(true)
				h.report(false)
				h.boot += h.spec.Restart.Cooldown
			},
			"a child is killed": func(*rapid.T) { h.kills++ },
			"told of the unit":  func(*rapid.T) { h.tellUnit() },
			"told of a kill":    func(*rapid.T) { h.tellLog() },
			"measured":          func(*rapid.T) { h.measure() },
			"it cannot be measured": func(*rapid.T) {
				h.blind = true
				h.see(service.Unmeasured{Cause: "permission denied"})
			},
			"it dies and is started again": func(t *rapid.T) {
				if h.unit.Phase == service.Running {
					h.die(service.Starting, rapid.Bool().Draw(t, "of want"), rapid.Bool().Draw(t, "seen"))
					h.unit.AutoRestarts++
					h.maybeTell(t)
					h.reborn(service.Running, h.unit.AutoRestarts)
					h.maybeTell(t)
				}
			},
			"it dies for good": func(t *rapid.T) {
				if h.unit.Phase == service.Running {
					h.die(service.Failed, rapid.Bool().Draw(t, "of want"), rapid.Bool().Draw(t, "seen"))
				}
			},
			"somebody stops it": func(t *rapid.T) {
				h.unit.Phase, h.unit.Result = service.Stopped, "success"
				h.maybeTell(t)
			},
			"somebody restarts it": func(t *rapid.T) {
				h.reborn(service.Running, 0)
				h.starts = nil
				h.maybeTell(t)
			},
			"somebody asks for a restart": func(*rapid.T) { h.ask() },
			"the restart is done":         func(t *rapid.T) { h.act(rapid.Bool().Draw(t, "works")) },
			"the restart is reported":     func(t *rapid.T) { h.report(rapid.Bool().Draw(t, "refused")) },
			"reported twice": func(*rapid.T) {
				if n := len(h.reported); n > 0 {
					h.see(h.reported[n-1])
				}
			},
			"told of the past": func(*rapid.T) {
				if svc := h.svc(); svc.Last != nil && svc.Last.Before == h.past.Incarnation && svc.Incarnation != svc.Last.Before {
					h.see(service.UnitChanged{Unit: h.past})
				}
			},
			"saved":                              func(*rapid.T) { h.save() },
			"kill -9":                            func(*rapid.T) { h.comeBack() },
			"kill -9 before the file is written": func(*rapid.T) { h.beforeTheFile() },
			"reboot":                             func(t *rapid.T) { h.reboot(rapid.IntRange(1, 1000).Draw(t, "seconds")) },
			"reconfigure":                        func(t *rapid.T) { h.reconfigure(rapid.IntRange(0, 4).Draw(t, "restarts")) },
			"removed while it is restarted": func(*rapid.T) {
				if h.flight != nil {
					h.s.Configure(nil)
					h.twin.Configure(nil)
					h.configure(func(*service.Spec) {})
				}
			},
			"": func(*rapid.T) { h.check() },
		})
	})
}

// begins holds a restart that begins against what memsupd promises.
func (h *sim) begins(a service.Action) {
	now, p := h.boot, h.spec.Restart
	if h.flight != nil {
		h.Fatalf("%s begins while %s is under way", a.ID, h.flight.ID)
	}
	if a.Reason == "" || a.By == "" || a.Before != h.told.Incarnation {
		h.Fatalf("it cannot be explained: %+v", a)
	}
	h.flight, h.happened, h.lost, h.begun = &a, false, false, now
	if a.Alert == "" {
		return
	}
	if h.cools && now-h.coolsAt < p.Cooldown {
		h.Fatalf("%s begins %v after the last one", a.ID, now-h.coolsAt)
	}
	used := 0
	for _, s := range h.starts {
		if now-s < p.Window {
			used++
		}
	}
	if used >= p.MaxRestarts || h.svc().Budget.GaveUp {
		h.Fatalf("%s begins after %d restarts, of %d; given up: %v", a.ID, used, p.MaxRestarts, h.svc().Budget.GaveUp)
	}
	for rule, f := range h.svc().Alerts.Firing {
		if f.ID == a.Alert {
			h.justified(rule)
			return
		}
	}
	h.Fatalf("%s is for %s, which does not fire", a.ID, a.Alert)
}

// justified: a service under its marks is never restarted.
func (h *sim) justified(rule string) {
	w := h.spec.Watermarks
	switch rule {
	case service.RuleCritical:
		if h.blind || h.sample == nil || float64(h.sample.WorkingSet) < (w.Critical-w.Hysteresis)*256*mib {
			h.Fatalf("restarted at %+v, blind %v", h.sample, h.blind)
		}
	case service.RuleLivelock:
		if h.blind || h.sample == nil || h.boot-h.heldAt >= livelockForgets {
			h.Fatalf("restarted for a livelock of %v ago", h.boot-h.heldAt)
		}
	case service.RuleOOMKill:
		if h.toldKills() == 0 || h.boot-h.killedAt < oomSettles {
			h.Fatalf("restarted for %d kills, the last %v ago", h.toldKills(), h.boot-h.killedAt)
		}
	case service.RuleFailed:
		if !down(h.told.Phase) {
			h.Fatalf("restarted for a failed restart, being %s", h.told.Phase)
		}
	default:
		h.Fatalf("restarted for %s", rule)
	}
}

// check holds the state against what is true and was told.
func (h *sim) check() {
	svc := h.svc()
	if want := h.killsBefore + h.toldKills(); svc.OOM.Total != want {
		h.Fatalf("%d kills counted, %d told (counter %d, log %d, result %d)", svc.OOM.Total, want, h.byCounter, h.byLog, h.byResult)
	}
	h.see(service.Tick{})
	if a, b := h.encode(h.s), h.encode(h.twin); string(a) != string(b) {
		h.Fatalf("two engines, two states:\n%s\n%s", a, b)
	}
	if due, ok := h.s.Due(); ok && due <= h.boot {
		h.Fatalf("due %v ago", h.boot-due)
	}
	w := h.spec.Watermarks
	for rule, a := range svc.Alerts.Firing {
		age, use, holds := h.boot-a.Updated.Boot, 0.0, true
		if h.sample != nil {
			use = float64(h.sample.WorkingSet) / (256 * mib)
		}
		switch rule {
		case service.RuleCritical:
			holds = !down(h.told.Phase) && (h.sample == nil || use >= w.Critical-w.Hysteresis)
		case service.RuleWarning:
			holds = !down(h.told.Phase) && (h.sample == nil || use >= w.Warning-w.Hysteresis || use >= (highSlack-w.Hysteresis)*200/256)
		case service.RuleLivelock:
			holds = !down(h.told.Phase) && (h.sample == nil || h.boot-h.heldAt < livelockForgets || age > 0)
		case service.RuleOOMKill:
			holds = h.boot-h.killedAt < oomResolves
		case service.RuleDown:
			holds = h.told.Phase == "" || h.told.Phase == service.Failed || h.told.Phase == service.Starting
		case service.RuleFailed:
			holds = h.told.Phase != service.Running || h.flight != nil || age < failedResolves
		case service.RuleExhausted:
			holds = svc.Budget.GaveUp
		}
		if !holds {
			h.Fatalf("%s still fires: %s; told %+v", rule, a.Message, h.told)
		}
	}
}
