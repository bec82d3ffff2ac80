package supervise

import (
	"context"
	"errors"
	"time"

	"github.com/memsup/memsup/internal/cgroup"
	"github.com/memsup/memsup/internal/limit"
	"github.com/memsup/memsup/internal/service"
	"github.com/memsup/memsup/internal/unit"
)

const (
	// lookTimeout bounds one look: systemd does not answer while it reloads.
	lookTimeout = 30 * time.Second
	// lookAgain is when a look that failed is repeated, if nothing changes before.
	lookAgain = 2 * time.Second
	// driftDelay is how long limits may differ between the manager and the kernel
	// before memsupd makes them agree: a set-property is on its way.
	driftDelay = 250 * time.Millisecond
)

// follower is what the goroutine that follows a unit remembers.
type follower struct {
	*actor
	unit     Unit
	last     service.Unit
	seen     bool
	launched bool // once is enough: a person who stops it means it
	trouble  string
	drifted  limit.Set // the manager's limits that were last applied, to try each once
}

// follow tells the engine each change of the unit.
func (a *actor) follow(ctx context.Context) {
	unit, err := a.s.host.Units.Bind(a.spec)
	if err != nil {
		a.note("trouble", "cannot follow %s: %v", a.spec.Unit, err)
		return
	}
	f := &follower{actor: a, unit: unit}
	defer func() {
		if err := unit.Close(); err != nil {
			a.note("trouble", "stop following %s: %v", a.spec.Unit, err)
		}
	}()
	again := time.NewTimer(0)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-unit.Changed():
		case <-again.C:
		case <-a.again:
			f.seen = false
		}
		if wait := f.look(ctx); wait > 0 {
			again.Reset(wait)
		}
	}
}

// look reads the unit once and returns when to do so again by itself, or 0.
func (f *follower) look(ctx context.Context) time.Duration {
	lctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	l, err := f.unit.Look(lctx)
	if err != nil {
		f.troubled(ctx, err)
		return lookAgain
	}
	f.troubled(ctx, nil)
	if f.mustLaunch(l.Unit) {
		f.launched = true
		if err := f.unit.Start(lctx); err != nil {
			f.note("trouble", "launch: %v", err)
			if errors.Is(err, unit.ErrDisconnected) {
				f.launched = false
				return lookAgain
			}
		}
		return time.Millisecond // look at what came of it
	}
	if !f.seen || l.Unit != f.last {
		f.tell(ctx, service.UnitChanged{Unit: l.Unit})
		f.live(life{incarnation: l.Unit.Incarnation, cgroup: l.Unit.Cgroup})
		f.seen, f.last = true, l.Unit
	}
	if l.Unit.Phase == service.Running && !l.Unit.JobPending { // a restart brings its own limits
		return f.settleLimits(lctx, l)
	}
	return 0
}

// mustLaunch: memsupd starts what it is to launch when it finds it not running at
// its own start. Later on, someone who stops it is taken at their word.
func (f *follower) mustLaunch(u service.Unit) bool {
	idle := u.Phase == service.Absent || u.Phase == service.Stopped
	if f.spec.Launch == nil || f.launched || !idle {
		f.launched = f.launched || !idle
		return false
	}
	return true
}

// troubled records that the unit cannot be looked at, once for each cause.
func (f *follower) troubled(ctx context.Context, err error) {
	switch {
	case err == nil:
		if f.trouble != "" {
			f.note("recovered", "%s can be looked at again", f.spec.Unit)
		}
		f.trouble = ""
	case ctx.Err() != nil:
	case f.trouble != err.Error():
		f.trouble = err.Error()
		f.note("trouble", "cannot look at %s: %v", f.spec.Unit, err)
	}
}

// settleLimits makes the kernel's limits those of the manager: since systemd 257
// a drop-in and a daemon-reload change what systemctl show says of a running unit
// and leave the kernel as it was. It returns when to look again, or 0.
func (f *follower) settleLimits(ctx context.Context, l Look) time.Duration {
	now, err := f.kernelLimits(l.Unit.Cgroup)
	switch {
	case errors.Is(err, cgroup.ErrGone):
		return 0 // the change of the unit is on its way
	case err != nil:
		f.note("trouble", "read limits: %v", err)
		return 0
	case agree(l.Limits, now):
		f.drifted = limit.Set{}
		return 0
	case f.drifted == l.Limits:
		return 0 // tried: whoever writes the kernel's files wins
	}
	if f.drifted = l.Limits; f.spec.Driver == service.Systemd {
		timer := time.NewTimer(driftDelay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return 0
		}
	}
	if now, err = f.kernelLimits(l.Unit.Cgroup); err == nil && agree(l.Limits, now) {
		return 0
	}
	if err := f.unit.ApplyLimits(ctx); err != nil {
		f.note("trouble", "apply the unit's limits: %v", err)
		return 0
	}
	if now, err = f.kernelLimits(l.Unit.Cgroup); err == nil && !agree(l.Limits, now) {
		f.note("trouble", "the unit says MemoryMax=%v MemoryHigh=%v, the kernel has %v and %v and keeps them",
			l.Limits.Max, l.Limits.High, now.Max, now.High)
	}
	token(f.limit) // let the engine see them at once
	return 0
}

func (f *follower) kernelLimits(path string) (limit.Set, error) {
	g, err := cgroup.Open(f.s.host.CgroupRoot, path)
	if err != nil {
		return limit.Set{}, err
	}
	set, err := g.ReadLimits()
	return set, errors.Join(err, g.Close())
}

// agree reports whether every limit that the manager has an opinion about is the
// kernel's, which keeps whole pages.
func agree(manager, kernel limit.Set) bool {
	for _, f := range [][2]limit.Value{
		{manager.Max, kernel.Max}, {manager.High, kernel.High}, {manager.Low, kernel.Low},
		{manager.Min, kernel.Min}, {manager.SwapMax, kernel.SwapMax},
	} {
		want, have := f[0], f[1]
		if want.IsAbsent() || have.IsAbsent() || want == have {
			continue
		}
		w, ok1 := want.Bytes()
		h, ok2 := have.Bytes()
		if !ok1 || !ok2 || w/pageSize != h/pageSize {
			return false
		}
	}
	return true
}

// pageSize is the smallest that a supported architecture has.
const pageSize = 4096
