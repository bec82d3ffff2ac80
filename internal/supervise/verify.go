package supervise

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/memsup/memsup/internal/service"
	"github.com/memsup/memsup/internal/unit"
)

const (
	// settle is how long a restarted unit must stay up before success is claimed.
	settle = 2 * time.Second
	// glance is how often a unit on its way is looked at, should no change tell.
	glance = 250 * time.Millisecond
)

// verify waits until the unit has settled one way or the other, and reports.
// failed is the error of the restart itself, nil when there was none.
func (a *actor) verify(ctx, bound context.Context, of Unit, act service.Action, failed error) {
	u, err := a.settled(bound, of)
	if ctx.Err() != nil {
		return
	}
	down := u.Phase == service.Stopped || u.Phase == service.Absent
	switch {
	case err != nil:
		a.report(ctx, act, service.Unfinished, errors.Join(failed, err).Error(), u)
	case u.Phase == service.Running && u.Incarnation != act.Before:
		a.report(ctx, act, service.Succeeded, "", u)
	case u.Phase == service.Running && failed == nil:
		if err := a.unrelieve(bound, of); err != nil {
			a.note("trouble", "%v", err)
		}
		a.report(ctx, act, service.NotStarted, "the unit runs on as before", u)
	case u.Phase == service.Running && errors.Is(failed, unit.ErrDisconnected):
		a.report(ctx, act, service.NotStarted, failed.Error(), u)
	case down && canceled(failed):
		a.report(ctx, act, service.Skipped, "somebody stopped the unit meanwhile", u)
	case failed != nil:
		a.report(ctx, act, service.Unfinished, failed.Error(), u)
	default:
		a.report(ctx, act, service.Unfinished, fmt.Sprintf("the unit is %s (%s)", u.Phase, u.Result), u)
	}
}

// canceled reports whether somebody's job took the place of memsupd's.
func canceled(err error) bool {
	var e *unit.JobError
	return errors.As(err, &e) && e.Job.Result == "canceled"
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
		default:
			if l.Unit.Incarnation != u.Incarnation || l.Unit.MainPID != u.MainPID || l.Unit.Phase != u.Phase || since == 0 {
				since = now
			}
			u = l.Unit
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
