package engine

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/memsup/memsup/internal/service"
)

// TestStateFromTheFileIsAsGoodAsTheStateThatWasKept: when it has seen the unit and
// taken a sample, an engine that was restored decides as the one that ran on. What
// is observed anew by design is left out: a livelock takes its 20 seconds again.
func TestStateFromTheFileIsAsGoodAsTheStateThatWasKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newSim(t)
		random := func(t *rapid.T) {
			switch rapid.IntRange(0, 8).Draw(t, "what") {
			case 0:
				h.boot += time.Duration(rapid.IntRange(1, 600).Draw(t, "seconds")) * time.Second
			case 1:
				h.use = rapid.SampledFrom([]int{50, 195, 205, 215, 230}).Draw(t, "MiB")
				h.measure()
			case 2:
				h.kills++
			case 3:
				h.tellLog()
			case 4:
				h.act(rapid.Bool().Draw(t, "works"))
			case 5:
				if h.happened {
					h.report(false)
				}
			case 6:
				h.reborn(service.Running, h.unit.AutoRestarts+1)
				h.tellUnit()
			case 7:
				h.die(service.Failed, true, true)
			case 8:
				h.ask()
			}
		}
		for range rapid.IntRange(0, 30).Draw(t, "before") {
			random(t)
		}
		if down(h.unit.Phase) {
			h.reborn(service.Running, 0)
		}
		h.tellUnit()
		h.measure()

		restored := &State{}
		if err := json.Unmarshal(h.encode(h.s), restored); err != nil {
			t.Fatal(err)
		}
		restored.Configure([]service.Spec{h.spec})
		h.twin = restored
		h.quiet(service.UnitChanged{Unit: h.unit})
		h.quiet(h.measurement())
		if diff := cmp.Diff(string(h.encode(h.s)), string(h.encode(h.twin))); diff != "" {
			t.Fatalf("restored, it knows something else:\n%s", diff)
		}
		for range rapid.IntRange(1, 30).Draw(t, "after") {
			random(t) // see holds one against the other
		}
	})
}

// quiet tells both engines; the restored one may have more to say.
func (h *sim) quiet(f service.Fact) {
	o := service.Observation{At: h.at(), Service: "api", Fact: f}
	h.s.Step(o)
	for _, d := range h.twin.Step(o) {
		if d.Begin != nil || d.Alert != nil {
			h.Fatalf("restored, it decides what was decided: %+v", d)
		}
	}
}
