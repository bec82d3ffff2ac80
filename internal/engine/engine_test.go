package engine

import (
	"cmp"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

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

	pressure float64 // avg10; 60 when 0
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
		Pressure: &service.Pressure{Some: service.Stall{Avg10: cmp.Or(h.pressure, 60)}},
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
	if diff := gocmp.Diff(lines, h.log); diff != "" {
		h.t.Fatalf("decisions (-want +got):\n%s", diff)
	}
	h.log = nil
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
