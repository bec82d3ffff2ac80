package engine

import (
	"math"
	"slices"
	"time"

	"github.com/memsup/memsup/internal/alert"
	"github.com/memsup/memsup/internal/limit"
	"github.com/memsup/memsup/internal/restart"
	"github.com/memsup/memsup/internal/service"
)

// Version is of the JSON form of [State].
const Version = 1

// State is all that the engine knows. What must outlive the daemon is in its
// JSON form; the rest is observed anew.
type State struct {
	Version  int                 `json:"version"`
	Services map[string]*Service `json:"services"`
}

// Service is what the engine knows of one service.
type Service struct {
	Alerts   alert.Book     `json:"alerts"`
	Budget   restart.Budget `json:"budget"`
	InFlight *InFlight      `json:"inFlight,omitempty"`
	Actions  uint64         `json:"actions"` // ever begun, for their IDs
	OOM      OOM            `json:"oom"`
	// Incarnation, AutoRestarts: of the unit when last seen, so that a daemon
	// that comes back can tell what happened meanwhile.
	Incarnation  string                `json:"incarnation"`
	AutoRestarts uint32                `json:"autoRestarts"`
	Last         *service.ActionRecord `json:"last,omitempty"`

	spec    service.Spec
	unit    service.Unit
	known   bool // unit was observed since the daemon started
	sample  *service.Sample
	sampled service.Instant
	limits  limit.Set
	stall   stall
	blind   string        // why the newest sample could not be taken; "": it was
	due     time.Duration // when time alone may change a decision; 0: never
}

// InFlight is an action that has begun and has no result yet.
type InFlight struct {
	Action service.Action `json:"action"`
	Budget restart.Budget `json:"budget"` // as it was before, for an action that never happened
}

// New returns the state of a daemon that starts for the first time.
func New() *State { return &State{Version: Version, Services: map[string]*Service{}} }

// Configure makes the engine hold exactly the services of specs. One that stays
// keeps its alerts, budget and observations; one that is gone is forgotten.
func (s *State) Configure(specs []service.Spec) {
	next := make(map[string]*Service, len(specs))
	for _, spec := range specs {
		svc := s.Services[spec.Name]
		if svc == nil {
			svc = &Service{}
		}
		svc.spec = spec
		next[spec.Name] = svc
	}
	s.Services = next
}

// Rebase moves every time on the boot clock by d; call it on a state that was
// kept through a reboot.
func (s *State) Rebase(d time.Duration) {
	for _, svc := range s.Services {
		svc.Budget = svc.Budget.Rebase(d)
		svc.OOM.Last += d
		if svc.InFlight != nil {
			svc.InFlight.Action.Started.Boot += d
			svc.InFlight.Budget = svc.InFlight.Budget.Rebase(d)
		}
		for _, a := range svc.Alerts.Firing {
			a.Since.Boot += d
			a.Updated.Boot += d
		}
	}
}

// Due returns the earliest time on the boot clock at which time alone may change
// a decision, and false when only a new observation can.
func (s *State) Due() (time.Duration, bool) {
	due := time.Duration(math.MaxInt64)
	for _, svc := range s.Services {
		if svc.due != 0 {
			due = min(due, svc.due)
		}
	}
	return due, due != math.MaxInt64
}

// Names returns the names of the services, sorted.
func (s *State) Names() []string {
	names := make([]string, 0, len(s.Services))
	for name := range s.Services {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
