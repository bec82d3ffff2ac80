package supervise

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/memsup/memsup/internal/alert"
	"github.com/memsup/memsup/internal/service"
)

// Restart restarts a service because by asked for it, and waits for the end. When
// ctx ends first, the restart goes on, and the record that is returned beside
// ctx's error says what is known of it.
func (s *Supervisor) Restart(ctx context.Context, name, by string) (service.ActionRecord, error) {
	var done chan service.ActionRecord
	var record service.ActionRecord
	var refused error
	err := s.do(ctx, func(run context.Context) {
		if s.actors[name] == nil {
			refused = fmt.Errorf("%s: %w", name, service.ErrUnknown)
			return
		}
		s.asked++
		id := fmt.Sprintf("%s/%s/by-hand-%d-%d", name, service.Restart, s.host.Now().Wall.Unix(), s.asked)
		for _, d := range s.step(run, service.Observation{Service: name, Fact: service.Asked{Kind: service.Restart, ID: id, By: by}}) {
			switch {
			case d.Begin != nil && d.Begin.ID == id:
				record.Action = *d.Begin
				done = make(chan service.ActionRecord, 1)
				s.waiting[id] = done
			case d.Note != nil && d.Note.Kind == "refused":
				reason := service.ErrUnavailable
				if s.state.Services[name].InFlight != nil {
					reason = service.ErrBusy
				}
				refused = fmt.Errorf("%s: %w: %s", name, reason, d.Note.Message)
			}
		}
	})
	if err := cmp.Or(err, refused); err != nil {
		return record, err
	}
	select {
	case record = <-done:
		return record, nil
	case <-ctx.Done():
		return record, fmt.Errorf("wait for %s: %w", record.ID, ctx.Err())
	}
}

// answer gives the end of an action to whoever waits for it.
func (s *Supervisor) answer(r service.ActionRecord) {
	if done := s.waiting[r.ID]; done != nil {
		delete(s.waiting, r.ID)
		done <- r // has room for its only answer
	}
}

// Services returns the status of every service, in the order of configuration.
func (s *Supervisor) Services() []service.Status {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]service.Status, 0, len(s.order))
	for _, name := range s.order {
		out = append(out, s.statuses[name])
	}
	return out
}

// Service returns the status of one service, and whether it is supervised.
func (s *Supervisor) Service(name string) (service.Status, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	st, ok := s.statuses[name]
	return st, ok
}

// Alerts returns the firing alerts of all services, the most severe first.
func (s *Supervisor) Alerts() []service.Alert {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := []service.Alert{}
	for _, name := range s.order {
		out = append(out, s.statuses[name].Alerts...)
	}
	slices.SortFunc(out, alert.Order)
	return out
}

// Recent returns the newest samples of a service, oldest first.
func (s *Supervisor) Recent(name string) []service.Point {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if r := s.points[name]; r != nil {
		return r.Points()
	}
	return nil
}
