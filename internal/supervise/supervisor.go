package supervise

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/memsup/memsup/internal/engine"
	"github.com/memsup/memsup/internal/service"
	"github.com/memsup/memsup/internal/store"
)

const (
	// queue bounds the observations that wait for the engine. An actor that finds
	// it full waits; what the kernel tells it meanwhile is merged.
	queue = 256
	// recent is how many samples of a service are kept: two hours at 10 s.
	recent = 720
	// saveEvery is how often the state is written without a decision to record.
	saveEvery = time.Minute
)

// Supervisor runs the line from observations to actions.
type Supervisor struct {
	host Host
	in   chan service.Observation
	asks chan func(context.Context)
	done sync.WaitGroup // of every goroutine below Run

	deafTo sync.Map // the last trouble of each source of events, by its name; bounded by their number

	// Owned by Run.
	state   *engine.State
	waiting map[string]chan service.ActionRecord // by action
	asked   uint64

	mu       sync.RWMutex
	actors   map[string]*actor // written by Run
	order    []string
	statuses map[string]service.Status
	points   map[string]*store.Ring
	cgroups  map[string]string // the newest of each service, which may be gone
}

// New returns a supervisor of the given services that goes on from saved, the
// state that an earlier one left (or [engine.New]).
func New(host Host, saved *engine.State, specs []service.Spec) *Supervisor {
	s := &Supervisor{
		host: host, state: saved,
		in:       make(chan service.Observation, queue),
		asks:     make(chan func(context.Context)),
		waiting:  map[string]chan service.ActionRecord{},
		actors:   map[string]*actor{},
		statuses: map[string]service.Status{},
		points:   map[string]*store.Ring{},
		cgroups:  map[string]string{},
	}
	s.configure(specs)
	return s
}

// Run supervises until ctx ends; it then waits for its goroutines. Restarts in
// progress are left to systemd and taken up by the next supervisor.
func (s *Supervisor) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer s.done.Wait()
	defer cancel()
	s.listen(ctx)
	for _, a := range s.actors {
		a.start(ctx)
	}
	s.resume(ctx)

	save := time.NewTicker(saveEvery)
	defer save.Stop()
	due := time.NewTimer(time.Hour)
	defer due.Stop()
	for {
		s.arm(due)
		select {
		case <-ctx.Done():
			_, err := s.host.State.Put(s.host.Now(), s.state)
			return err
		case o := <-s.in:
			s.step(ctx, o)
		case f := <-s.asks:
			f(ctx)
		case <-due.C:
			s.step(ctx, service.Observation{Fact: service.Tick{}})
		case <-save.C:
			if _, err := s.host.State.Put(s.host.Now(), s.state); err != nil {
				return fmt.Errorf("supervise: %w", err)
			}
		}
	}
}

// arm sets the timer to when time alone may change a decision.
func (s *Supervisor) arm(t *time.Timer) {
	wait := time.Hour
	if due, ok := s.state.Due(); ok {
		wait = max(due-s.host.Now().Boot, time.Millisecond)
	}
	t.Reset(wait)
}

// step takes one observation down the line.
func (s *Supervisor) step(ctx context.Context, o service.Observation) []service.Decision {
	o.At = s.host.Now()
	decisions := s.state.Step(o)
	if len(decisions) > 0 {
		ticket, err := s.host.State.Put(o.At, s.state)
		s.host.Journal.Append(decisions...)
		for _, d := range decisions {
			switch {
			case d.Begin != nil:
				s.actors[d.Service].begin(ctx, *d.Begin, ticket, err)
			case d.End != nil:
				s.answer(*d.End)
				if a := s.actors[d.Service]; a != nil {
					token(a.again) // what the action saw may be older than what was told
				}
			}
		}
	}
	s.publish(o)
	return decisions
}

// publish makes the new state of the service (or of all) known to readers.
func (s *Supervisor) publish(o service.Observation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := []string{o.Service}
	if o.Service == "" {
		names = s.order
	}
	for _, name := range names {
		if st, ok := s.state.Status(name, o.At); ok {
			s.statuses[name] = st
			if st.Cgroup != "" {
				s.cgroups[name] = st.Cgroup
			}
		}
	}
	if m, ok := o.Fact.(service.Measured); ok && s.points[o.Service] != nil {
		s.points[o.Service].Add(service.Point{At: o.At.Wall, Current: m.Sample.Current, WorkingSet: m.Sample.WorkingSet})
	}
}

// do runs f on the goroutine that owns the state.
func (s *Supervisor) do(ctx context.Context, f func(run context.Context)) error {
	done := make(chan struct{})
	select {
	case s.asks <- func(run context.Context) { f(run); close(done) }:
	case <-ctx.Done():
		return fmt.Errorf("supervise: %w", ctx.Err())
	}
	<-done
	return nil
}

// Alive returns nil when the line still moves, within ctx.
func (s *Supervisor) Alive(ctx context.Context) error { return s.do(ctx, func(context.Context) {}) }

// Configure supervises the given services from now on. One whose description did
// not change goes on undisturbed; one that is gone is let go, unharmed.
func (s *Supervisor) Configure(ctx context.Context, specs []service.Spec) error {
	return s.do(ctx, func(run context.Context) {
		for _, a := range s.configure(specs) {
			a.start(run)
		}
	})
}

// configure returns the actors that are new.
func (s *Supervisor) configure(specs []service.Spec) []*actor {
	s.state.Configure(specs)
	now := s.host.Now()
	var fresh []*actor

	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.actors
	s.actors = map[string]*actor{}
	s.order = nil
	for _, spec := range specs {
		a := old[spec.Name]
		if a != nil && a.sameAs(spec) {
			delete(old, spec.Name)
		} else {
			a = newActor(spec, s)
			fresh = append(fresh, a)
		}
		s.actors[spec.Name] = a
		s.order = append(s.order, spec.Name)
		if s.points[spec.Name] == nil {
			s.points[spec.Name] = store.NewRing(recent)
		}
		s.statuses[spec.Name], _ = s.state.Status(spec.Name, now)
	}
	for name := range s.statuses {
		if s.actors[name] == nil {
			delete(s.statuses, name)
			delete(s.points, name)
			delete(s.cgroups, name)
		}
	}
	for _, a := range old {
		a.stop()
	}
	return fresh
}
