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
	// Incarnation is of the unit when last seen, so that a daemon that comes back
	// can tell what happened meanwhile.
	Incarnation string                `json:"incarnation"`
	Brought     string                `json:"brought"` // the incarnation that memsupd's last action led to
	Last        *service.ActionRecord `json:"last,omitempty"`

	spec    service.Spec
	unit    service.Unit
	known   bool // unit was observed since the daemon started
	sample  *service.Sample
	sampled service.Instant
	limits  limit.Set
	stall   stall
	blind   string        // why the newest sample could not be taken; "": it was
	due     time.Duration // when time alone may change a decision; 0: never
	balks   int           // actions in a row that never began
	retry   time.Duration // when the next may begin after a balk, on the boot clock
	gone    bool          // not configured any more; kept until its action has ended
}

// InFlight is an action that has begun and has no result yet.
type InFlight struct {
	Action service.Action `json:"action"`
	// Budget and Treated are as they were before, for an action that never happened.
	Budget  restart.Budget `json:"budget"`
	Treated bool           `json:"treated"` // OOM.Treated
}

// New returns the state of a daemon that starts for the first time.
func New() *State { return &State{Version: Version, Services: map[string]*Service{}} }

// Configure makes the engine hold exactly the services of specs. One that stays
// keeps its alerts, budget and observations; one that is gone is forgotten, as
// soon as the action under way has ended: should it come back before, there are
// no two. A restart policy that changed is a new chance for who had given up.
func (s *State) Configure(specs []service.Spec) {
	next := make(map[string]*Service, len(specs))
	for _, spec := range specs {
		svc := s.Services[spec.Name]
		if svc == nil {
			svc = &Service{}
		}
		if svc.spec.Name != "" && svc.spec.Restart != spec.Restart {
			svc.Budget.GaveUp = false
		}
		svc.spec, svc.gone = spec, false
		next[spec.Name] = svc
	}
	for name, svc := range s.Services {
		// Without a spec it was read from the file, and nobody will tell its end.
		if next[name] == nil && svc.InFlight != nil && svc.spec.Name != "" {
			svc.gone = true
			next[name] = svc
		}
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
		if svc.due != 0 && !svc.gone {
			due = min(due, svc.due)
		}
	}
	return due, due != math.MaxInt64
}

// Names returns the names of the configured services, sorted.
func (s *State) Names() []string {
	names := make([]string, 0, len(s.Services))
	for name, svc := range s.Services {
		if !svc.gone {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
