package engine

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/memsup/memsup/internal/limit"
	"github.com/memsup/memsup/internal/service"
)

// sim is a host with one service, and a memsupd whose engine is told of it late, in
// any order and twice, and that is killed at any point. Two engines are told the
// same, and must agree.
type sim struct {
	*rapid.T
	s, twin *State
	spec    service.Spec
	boot    time.Duration
	saved   []byte // the state file: written with each decision, and now and then
	before  []byte // the file before the last decisions
	last    []service.Decision

	// The truth.
	unit  service.Unit
	life  int
	use   int // MiB of 256
	kills uint64
	high  uint64

	// The action under way: decided, perhaps carried out, never to be (killed first).
	flight   *service.Action
	happened bool
	lost     bool
	reported []service.ActionDone
	past     service.Unit // of the life that the last restart ended

	// What was told.
	told     service.Unit
	toldAt   time.Duration // of the unit
	sample   *service.Sample
	heldAt   time.Duration // when it last was at MemoryHigh
	takeover bool          // no sample since memsupd came back
	blind    bool

	// Kills: of lives that ended, and of the one that was told last by each teller.
	killsBefore, byCounter, byLog, byResult uint64
	late                                    uint64 // log lines that may come with the next life
	killedAt                                time.Duration

	// Restarts of memsupd's own that were carried out, since it was last forgiven.
	begun   time.Duration
	starts  []time.Duration
	coolsAt time.Duration // when the newest restart ended, anybody's by way of memsupd
	cools   bool
	byHand  int
}

func newSim(t *rapid.T) *sim {
	h := &sim{T: t, s: New(), twin: New(), spec: spec, boot: time.Hour, use: 100}
	h.configure(func(*service.Spec) {})
	h.reborn(service.Running, 0)
	h.tellUnit()
	h.measure()
	h.save()
	return h
}

func (h *sim) svc() *Service { return h.s.Services["api"] }

func (h *sim) at() service.Instant {
	return service.Instant{Wall: time.Unix(1_700_000_000, 0).UTC().Add(h.boot), Boot: h.boot}
}

func (h *sim) configure(change func(*service.Spec)) {
	change(&h.spec)
	h.s.Configure([]service.Spec{h.spec})
	h.twin.Configure([]service.Spec{h.spec})
}

func (h *sim) encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		h.Fatal(err)
	}
	return b
}

func (h *sim) save() { h.saved, h.before = h.encode(h.s), nil }

// see has both engines take a step, and looks at what they decide.
func (h *sim) see(f service.Fact) {
	o := service.Observation{At: h.at(), Service: "api", Fact: f}
	out, twin := h.s.Step(o), h.twin.Step(o)
	if diff := cmp.Diff(out, twin); diff != "" {
		h.Fatalf("two engines, two minds:\n%s", diff)
	}
	for _, d := range out {
		if d.Begin != nil {
			h.begins(*d.Begin)
		}
	}
	if len(out) > 0 {
		before := h.saved
		h.save()
		h.before, h.last = before, out
	}
}

// reborn begins another life.
func (h *sim) reborn(p service.Phase, autoRestarts uint32) {
	h.life++
	h.kills, h.high, h.use = 0, 0, 100
	h.unit = service.Unit{Phase: p, MainPID: 100 + h.life, Incarnation: fmt.Sprint("life", h.life), AutoRestarts: autoRestarts}
}

func (h *sim) tellUnit() {
	h.learn()
	h.see(service.UnitChanged{Unit: h.unit})
}

// learn is what the engine knows from the unit as it is.
func (h *sim) learn() {
	fresh := h.told.Incarnation != h.unit.Incarnation
	if fresh {
		h.late = 0
		if h.toldKills() > h.byLog && h.boot-h.killedAt < oomSettles {
			h.late = h.toldKills() - h.byLog
		}
		h.killsBefore += h.toldKills()
		h.byCounter, h.byLog, h.byResult, h.sample = 0, 0, 0, nil
	}
	if down(h.unit.Phase) {
		h.sample = nil
	}
	if h.unit.Result == "oom-kill" && h.unit.Phase != service.Running && h.toldKills() == 0 {
		h.byResult, h.killedAt = 1, h.boot
	}
	h.told, h.toldAt = h.unit, h.boot
}

func down(p service.Phase) bool {
	return p == service.Failed || p == service.Stopped || p == service.Absent
}

// upToDate reports whether the engine knows the life that is.
func (h *sim) upToDate() bool {
	return h.told.Phase != "" && h.told.Incarnation == h.unit.Incarnation
}

func (h *sim) toldKills() uint64 { return max(h.byCounter, h.byLog, h.byResult) }

// measurement is a sample of the life that is.
func (h *sim) measurement() service.Measured {
	s := service.Sample{
		WorkingSet: uint64(h.use) * mib, Current: uint64(h.use) * mib,
		Events:   service.Events{OOMKill: h.kills, High: h.high},
		Pressure: &service.Pressure{Some: service.Stall{Avg10: 60}},
		Limits:   limit.Set{Max: limit.Bytes(256 * mib), High: limit.Bytes(200 * mib)},
	}
	return service.Measured{Cause: service.Scheduled, Sample: s, Incarnation: h.unit.Incarnation}
}

// measure takes a sample, of a life that the engine may not know yet.
func (h *sim) measure() {
	m := h.measurement()
	s := m.Sample
	if h.upToDate() {
		if h.kills > h.toldKills() {
			h.killedAt = h.boot
		}
		h.byCounter = max(h.byCounter, h.kills)
		if !down(h.told.Phase) {
			if h.takeover || h.sample != nil && s.Events.High > h.sample.Events.High && h.use >= 190 {
				h.heldAt = h.boot
			}
			h.sample, h.takeover, h.blind = &s, false, false
		}
	}
	h.see(m)
}

// tellLog tells of one kill in the words of the kernel log.
func (h *sim) tellLog() {
	switch {
	case h.late > 0 && h.boot-h.killedAt < oomSettles:
		h.late--
	case h.upToDate() && h.byLog < h.kills:
		if h.byLog++; h.byLog > max(h.byCounter, h.byResult) {
			h.killedAt = h.boot
		}
		h.late = 0
	default:
		return
	}
	h.see(service.OOMKilled{Victim: service.Victim{PID: 1, Comm: "node"}})
}

// beforeTheFile is kill -9 between a decision and its being on disk: nothing was
// carried out, because an action waits for that.
func (h *sim) beforeTheFile() {
	for _, d := range h.last {
		if d.End != nil || d.Begin != nil && (h.flight == nil || h.flight.ID != d.Begin.ID || h.happened) {
			return
		}
	}
	if h.before == nil || string(h.saved) != string(h.encode(h.s)) {
		return
	}
	for _, d := range h.last {
		if d.Begin != nil {
			h.flight = nil
		}
	}
	h.saved, h.before = h.before, nil
	h.restart()
	o := h.svc().OOM
	h.killsBefore, h.killedAt = o.Total-max(o.Counted, o.Named), o.Last
}

// comeBack is kill -9 and another memsupd.
func (h *sim) comeBack() {
	total := h.svc().OOM.Total
	h.restart()
	if svc := h.svc(); svc.OOM.Total != total {
		h.Fatalf("kills forgotten: %d of %d are left", svc.OOM.Total, total)
	}
}

// restart begins another memsupd with what the file says.
func (h *sim) restart() {
	h.before = nil
	h.s, h.twin = &State{}, &State{}
	for _, s := range []*State{h.s, h.twin} {
		if err := json.Unmarshal(h.saved, s); err != nil {
			h.Fatal(err)
		}
	}
	h.configure(func(*service.Spec) {})
	if (h.svc().InFlight != nil) != (h.flight != nil) {
		h.Fatal("the action in flight was forgotten")
	}
	o := h.svc().OOM
	h.byCounter, h.byLog, h.byResult, h.late = o.Counted, o.Named, 0, o.Unnamed
	h.lost = h.flight != nil && !h.happened
	h.told, h.sample, h.takeover = service.Unit{Incarnation: h.svc().Incarnation}, nil, true
	h.blind = false
}
