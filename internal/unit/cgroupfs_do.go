package unit

import (
	"context"
	"errors"
	"fmt"

	"github.com/memsup/memsup/internal/limit"
)

// done is the job of a driver that has none: it is over when the call returns.
var done = Job{Result: "done"}

// Describe says how a service is to run from its next start on, by itself or by
// being asked. One that was never launched stays unknown.
func (c *Cgroupfs) Describe(spec Spec) error {
	name, err := Name(spec.Name)
	if err == nil {
		err = spec.validate()
	}
	if err != nil {
		return fmt.Errorf("describe %s: %w", spec.Name, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.lives[name]; l != nil {
		l.record.Spec = spec
	}
	return nil
}

// Launch runs a service; a name whose service runs is refused with [ErrExists],
// and one that ran before is replaced. The limits are in place before the
// program's first instruction. One that ended while no Cgroupfs held it counts as
// started again by the driver ([State.NRestarts]).
func (c *Cgroupfs) Launch(ctx context.Context, spec Spec) (Job, error) {
	name, err := Name(spec.Name)
	if err == nil {
		err = spec.validate()
	}
	if err != nil {
		return Job{}, fmt.Errorf("launch %s: %w", spec.Name, err)
	}
	c.mu.Lock()
	l := c.lives[name]
	if l == nil {
		l = newLife(name, record{Spec: spec})
		c.lives[name] = l
	}
	c.mu.Unlock()
	return c.do(ctx, "launch", l, func(ctx context.Context) error {
		c.mu.Lock()
		running := l.proc != nil
		restarts := uint32(0)
		if !running {
			l.record.Spec = spec
			if l.record.PID != 0 && l.inactive.IsZero() {
				restarts = l.record.NRestarts + 1
			}
		}
		c.mu.Unlock()
		if running {
			return ErrExists
		}
		return c.begin(ctx, l, restarts)
	})
}

// Start runs again what was launched once; one that runs is left alone.
func (c *Cgroupfs) Start(ctx context.Context, unit string) (Job, error) {
	return c.known(ctx, "start", unit, func(ctx context.Context, l *life) error {
		if c.running(l) {
			return nil
		}
		return c.begin(ctx, l, 0)
	})
}

// Stop sends the stop signal to the main process and, when that has ended or
// the service's StopTimeout is over, SIGKILL to all that is left.
func (c *Cgroupfs) Stop(ctx context.Context, unit string) (Job, error) {
	return c.known(ctx, "stop", unit, func(ctx context.Context, l *life) error {
		if err := c.finish(ctx, l); err != nil {
			return err
		}
		return c.rewrite(l, func(r *record) { r.PID, r.StartTime, r.Restarting = 0, "", false })
	})
}

// Restart stops a service and runs it again. When ctx ends first, it goes on, and
// when the driver is closed first, the next one goes on with it.
func (c *Cgroupfs) Restart(ctx context.Context, unit string) (Job, error) {
	return c.known(ctx, "restart", unit, c.renew)
}

// SetLimits changes the limits that are not absent, for the present run and,
// unless runtime, for those to come.
func (c *Cgroupfs) SetLimits(ctx context.Context, unit string, set limit.Set, runtime bool) error {
	_, err := c.known(ctx, "set limits", unit, func(_ context.Context, l *life) error {
		c.mu.Lock()
		g := l.group
		if g != nil {
			l.record.Spec.Limits = set.Merge(l.record.Spec.Limits)
		}
		c.mu.Unlock()
		if g != nil {
			if err := g.SetLimits(set); err != nil {
				return err
			}
		}
		if runtime {
			return nil
		}
		return c.rewrite(l, func(r *record) { r.Spec.Limits = set.Merge(r.Spec.Limits) })
	})
	return err
}

// Reapply writes the limits of a service to the kernel again.
func (c *Cgroupfs) Reapply(ctx context.Context, unit string) error {
	_, err := c.known(ctx, "reapply limits", unit, func(_ context.Context, l *life) error {
		c.mu.Lock()
		g, set := l.group, l.record.Spec.Limits
		c.mu.Unlock()
		if g == nil {
			return nil
		}
		return g.SetLimits(set)
	})
	return err
}

func (c *Cgroupfs) known(ctx context.Context, verb, unit string, act func(context.Context, *life) error) (Job, error) {
	name, err := Name(unit)
	if err != nil {
		return Job{}, fmt.Errorf("%s: %w", verb, err)
	}
	c.mu.Lock()
	l := c.lives[name]
	c.mu.Unlock()
	if l == nil {
		return Job{}, fmt.Errorf("%s %s: %w", verb, name, ErrNotFound)
	}
	return c.do(ctx, verb, l, func(ctx context.Context) error { return act(ctx, l) })
}

// do acts on one service, one action at a time. When ctx ends first, the action
// goes on.
func (c *Cgroupfs) do(ctx context.Context, verb string, l *life, act func(context.Context) error) (Job, error) {
	fail := func(err error) (Job, error) { return Job{}, fmt.Errorf("%s %s: %w", verb, l.name, err) }
	select {
	case l.busy <- struct{}{}:
	case <-ctx.Done():
		return fail(context.Cause(ctx))
	case <-c.gone:
		return fail(ErrClosed)
	}
	ended, err := c.start(ctx, verb, l, act)
	if err != nil {
		return fail(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			return fail(err)
		}
		return done, nil
	case <-ctx.Done():
		return fail(context.Cause(ctx))
	}
}

// start runs an action in the background, with a context that ends with the
// driver alone. The caller holds l.busy; the end of the action lets go of it.
func (c *Cgroupfs) start(ctx context.Context, verb string, l *life, act func(context.Context) error) (<-chan error, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		<-l.busy
		return nil, ErrClosed
	}
	switch verb {
	case "launch", "start", "stop", "restart":
		l.job = verb
		c.touch(unitPath(l.name))
	}
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	c.waiting.Go(func() {
		select {
		case <-c.gone:
			cancel(ErrClosed)
		case <-ctx.Done():
		}
	})
	c.waiting.Go(func() {
		defer cancel(nil)
		err := act(ctx)
		if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(err, cause) {
			err = cause // whatever else it says, the driver was closed
		}
		c.mu.Lock()
		if l.job != "" {
			l.job = ""
			c.touch(unitPath(l.name))
		}
		c.mu.Unlock()
		<-l.busy
		ended <- err
	})
	return ended, nil
}

func (c *Cgroupfs) running(l *life) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return l.proc != nil
}

// rewrite changes the record of a service, in memory and on disk.
func (c *Cgroupfs) rewrite(l *life, change func(*record)) error {
	c.mu.Lock()
	change(&l.record)
	r := l.record
	c.mu.Unlock()
	return r.write(recordPath(c.opts.Dir, l.name))
}
