package state

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/memsup/memsup/internal/engine"
	"github.com/memsup/memsup/internal/limit"
	"github.com/memsup/memsup/internal/service"
)

// FuzzDecode: whatever is accepted can be supervised with, and saved again.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"version":1,"engine":{"version":1,"services":{"api":{"alerts":{"count":1}}}}}`))
	f.Add(busy(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decode(b)
		if err != nil {
			return
		}
		s.Engine.Rebase(time.Hour)
		drive(s.Engine)
		again, err := json.Marshal(Saved{Version: engine.Version, Engine: s.Engine})
		if err != nil {
			t.Fatalf("cannot be saved again: %v", err)
		}
		if _, err := decode(again); err != nil {
			t.Fatalf("cannot be read again: %v", err)
		}
	})
}

// busy is the file of a service that had everything happen to it.
func busy(f *testing.F) []byte {
	s := engine.New()
	s.Configure([]service.Spec{spec("api")})
	drive(s)
	if s.Services["api"].InFlight == nil || len(s.Services["api"].Alerts.Firing) < 3 {
		f.Fatal("nothing happened")
	}
	b, err := json.Marshal(Saved{Version: engine.Version, BootID: "b", At: at, Engine: s})
	if err != nil {
		f.Fatal(err)
	}
	return b
}

func spec(name string) service.Spec {
	return service.Spec{Name: name, Watermarks: service.DefaultWatermarks, Restart: service.DefaultRestart}
}

// drive takes a state through every kind of observation.
func drive(s *engine.State) {
	var specs []service.Spec
	for name := range s.Services {
		specs = append(specs, spec(name))
	}
	s.Configure(specs)
	u := service.Unit{Phase: service.Running, Incarnation: "life"}
	sample := service.Sample{
		WorkingSet: 90, Events: service.Events{High: 1, OOMKill: 2},
		Limits: limit.Set{Max: limit.Bytes(100), High: limit.Bytes(80)},
	}
	now := at
	for _, name := range s.Names() {
		see := func(f service.Fact) {
			now.Boot += time.Second
			s.Step(service.Observation{At: now, Service: name, Fact: f})
		}
		see(service.Tick{})
		see(service.UnitChanged{Unit: u})
		see(service.Measured{Sample: sample, Incarnation: "life"})
		see(service.OOMKilled{})
		if f := s.Services[name].InFlight; f != nil {
			see(service.ActionDone{ID: f.Action.ID, Outcome: service.Unfinished, Unit: u})
		}
		see(service.Asked{Kind: service.Restart, ID: "by-hand", By: "root"})
		see(service.Tick{})
		s.Status(name, now)
	}
	s.Due()
}
