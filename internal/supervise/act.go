package supervise

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/memsup/memsup/internal/service"
)

const (
	// durableTimeout bounds how long an action waits for its record to be on
	// disk. A full or hung disk does not stop memsupd from helping a service.
	durableTimeout = 2 * time.Second
	// startTimeout is what a restart may take beyond the unit's own stop timeout.
	startTimeout = 2 * time.Minute
	// settle is how long a restarted unit must stay up before success is claimed.
	settle = 2 * time.Second
	// glance is how often a unit on its way is looked at, should no change tell.
	glance = 250 * time.Millisecond
)

// begin carries an action out, off the line. ticket is of the state that records
// it; failed is why there is none.
func (a *actor) begin(ctx context.Context, act service.Action, ticket uint64, failed error) {
	a.s.done.Go(func() {
		if failed == nil {
			dctx, cancel := context.WithTimeout(ctx, durableTimeout)
			failed = a.s.host.State.Durable(dctx, ticket)
			cancel()
		}
		if ctx.Err() != nil {
			return // not begun: the next memsupd finds the record, and the unit as it was
		}
		if failed != nil {
			a.note("trouble", "%s goes ahead though its record is not on disk: %v", act.ID, failed)
		}
		a.restart(ctx, act)
	})
}

// restart restarts the unit, sees that it is back, and tells the engine.
func (a *actor) restart(ctx context.Context, act service.Action) {
	unit, err := a.s.host.Units.Bind(a.spec)
	if err != nil {
		a.report(ctx, act, service.NotStarted, err.Error(), service.Unit{})
		return
	}
	defer a.close(unit)
	bound := startTimeout
	var relief relief
	if l, err := unit.Look(ctx); err == nil {
		bound += min(l.StopTimeout, time.Hour)
		if relief, err = a.relieve(l.Unit.Cgroup); err != nil {
			a.note("trouble", "%v", err)
		}
	}
	rctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	err = unit.Restart(rctx)
	if err := relief.end(ctx.Err() == nil); err != nil {
		a.note("trouble", "%v", err)
	}
	if ctx.Err() != nil {
		return // systemd goes on; the next memsupd sees what came of it
	}
	a.verify(ctx, rctx, unit, act, err)
}

// verify waits until the unit has settled one way or the other, and reports.
// failed is the error of the restart itself, nil when there was none.
func (a *actor) verify(ctx, bound context.Context, unit Unit, act service.Action, failed error) {
	u, err := a.settled(bound, unit)
	if ctx.Err() != nil {
		return
	}
	switch {
	case err != nil:
		a.report(ctx, act, service.Unfinished, errors.Join(failed, err).Error(), u)
	case u.Phase == service.Running && u.Incarnation != act.Before:
		a.report(ctx, act, service.Succeeded, "", u)
	case u.Phase == service.Running && failed == nil:
		a.report(ctx, act, service.NotStarted, "the unit runs on as before", u)
	case failed != nil:
		a.report(ctx, act, service.Unfinished, failed.Error(), u)
	default:
		a.report(ctx, act, service.Unfinished, fmt.Sprintf("the unit is %s (%s)", u.Phase, u.Result), u)
	}
}

func (a *actor) report(ctx context.Context, act service.Action, o service.Outcome, detail string, u service.Unit) {
	took := a.s.host.Now().Boot - act.Started.Boot
	a.tell(ctx, service.ActionDone{ID: act.ID, Outcome: o, Detail: detail, Took: took, Unit: u})
}

func (a *actor) close(u Unit) {
	if err := u.Close(); err != nil {
		a.note("trouble", "let go of %s: %v", a.spec.Unit, err)
	}
}

// settled waits until the unit is not on its way any more: up and the same for a
// while, or down with nothing queued.
func (a *actor) settled(ctx context.Context, unit Unit) (service.Unit, error) {
	var u service.Unit
	var since time.Duration
	tick := time.NewTicker(glance)
	defer tick.Stop()
	for {
		l, err := unit.Look(ctx)
		now := a.s.host.Now().Boot
		switch {
		case ctx.Err() != nil:
			return u, fmt.Errorf("it had not settled in time, being %s", u.Phase)
		case err != nil: // D-Bus is away: it comes back, or the time runs out
			since = 0
		case l.Unit.Incarnation != u.Incarnation || l.Unit.MainPID != u.MainPID || l.Unit.Phase != u.Phase || since == 0:
			u, since = l.Unit, now
		}
		if since != 0 && !u.JobPending {
			switch u.Phase {
			case service.Running, service.Failed:
				if now-since >= settle {
					return u, nil
				}
			case service.Stopped, service.Absent, service.Masked:
				if now-since >= settle {
					return u, nil
				}
			}
		}
		select {
		case <-tick.C:
		case <-unit.Changed():
		case <-ctx.Done():
		}
	}
}

// resume takes up the actions that an earlier memsupd began. Whether systemd ever
// heard of one is told by the unit: it has another incarnation, or a job, or is
// just as it was.
func (s *Supervisor) resume(ctx context.Context) {
	for _, name := range s.state.Names() {
		f := s.state.Services[name].InFlight
		if f == nil {
			continue
		}
		a, act := s.actors[name], f.Action
		s.done.Go(func() {
			unit, err := s.host.Units.Bind(a.spec)
			if err != nil {
				a.report(ctx, act, service.NotStarted, err.Error(), service.Unit{})
				return
			}
			defer a.close(unit)
			bound, cancel := context.WithTimeout(ctx, startTimeout+2*time.Minute)
			defer cancel()
			a.verify(ctx, bound, unit, act, nil)
		})
	}
}
