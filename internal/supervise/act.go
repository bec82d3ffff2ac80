package supervise

import (
	"context"
	"time"

	"github.com/memsup/memsup/internal/service"
)

const (
	// durableTimeout bounds how long an action waits for its record to be on
	// disk. A full or hung disk does not stop memsupd from helping a service.
	durableTimeout = 2 * time.Second
	// startTimeout is what a restart may take beyond the unit's own stop timeout.
	startTimeout = 2 * time.Minute
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
	target, err := a.s.host.Units.Bind(a.spec)
	if err != nil {
		a.report(ctx, act, service.NotStarted, err.Error(), service.Unit{})
		return
	}
	defer a.close(target)
	l, err := target.Look(ctx)
	var relief relief
	if err == nil {
		if why := overtaken(act, l.Unit); why != "" {
			a.report(ctx, act, service.Skipped, why, l.Unit)
			return
		}
		if relief, err = a.relieve(l.Unit.Cgroup); err != nil {
			a.note("trouble", "%v", err)
		}
	}
	relief.breathe(ctx)
	rctx, cancel := context.WithTimeout(ctx, allowance(l))
	defer cancel()
	err = target.Restart(rctx)
	if err := relief.end(ctx.Err() == nil); err != nil {
		a.note("trouble", "%v", err)
	}
	if ctx.Err() != nil {
		return // systemd goes on; the next memsupd sees what came of it
	}
	a.verify(ctx, rctx, target, act, err)
}

// allowance is the time in which a restart must have ended.
func allowance(l Look) time.Duration { return startTimeout + min(l.StopTimeout, time.Hour) }

// overtaken returns why an action of memsupd's own is not to be done any more: what
// it was decided about is not there now. An operator gets what they ask for.
func overtaken(act service.Action, u service.Unit) string {
	running := u.Phase == service.Running || u.Phase == service.Starting
	switch {
	case act.Alert == "":
		return ""
	case u.Phase == service.Stopping:
		return "the unit is being stopped"
	case running && act.Before != "" && u.Incarnation != act.Before:
		return "the unit was restarted a moment before"
	}
	return ""
}

// resume takes up the actions that an earlier memsupd began. Whether systemd ever
// heard of one is told by the unit: it has another incarnation, or a job, or is
// just as it was.
func (s *Supervisor) resume(ctx context.Context) {
	for _, name := range s.state.Names() {
		if f := s.state.Services[name].InFlight; f != nil {
			a, act := s.actors[name], f.Action
			s.done.Go(func() { a.resume(ctx, act) })
		}
	}
}

func (a *actor) resume(ctx context.Context, act service.Action) {
	target, err := a.s.host.Units.Bind(a.spec)
	if err != nil {
		a.report(ctx, act, service.NotStarted, err.Error(), service.Unit{})
		return
	}
	defer a.close(target)
	l, err := target.Look(ctx)
	if err != nil {
		l.StopTimeout = 2 * time.Minute // unknown; systemd's default is less
	}
	bound, cancel := context.WithTimeout(ctx, allowance(l))
	defer cancel()
	a.verify(ctx, bound, target, act, nil)
}
