package unit

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/memsup/memsup/internal/cgroup"
	"github.com/memsup/memsup/internal/limit"
)

// done is the job of a driver that has none: it is over when the call returns.
var done = Job{Result: "done"}

// Launch runs a service; a name whose service runs is refused with [ErrExists],
// and one that ran before is replaced. The limits are in place before the
// program's first instruction.
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
	return c.do(ctx, "launch", l, func() error {
		c.mu.Lock()
		running := l.proc != nil
		if !running {
			l.record.Spec = spec
		}
		c.mu.Unlock()
		if running {
			return ErrExists
		}
		return c.begin(l)
	})
}

// Start runs again what was launched once; one that runs is left alone.
func (c *Cgroupfs) Start(ctx context.Context, unit string) (Job, error) {
	return c.known(ctx, "start", unit, func(l *life) error {
		if c.running(l) {
			return nil
		}
		return c.begin(l)
	})
}

// Stop sends the stop signal to the main process and, when that has ended or
// the service's StopTimeout is over, SIGKILL to all that is left.
func (c *Cgroupfs) Stop(ctx context.Context, unit string) (Job, error) {
	return c.known(ctx, "stop", unit, func(l *life) error { return c.finish(ctx, l) })
}

// Restart stops a service and runs it again.
func (c *Cgroupfs) Restart(ctx context.Context, unit string) (Job, error) {
	return c.known(ctx, "restart", unit, func(l *life) error {
		if err := c.finish(ctx, l); err != nil {
			return err
		}
		return c.begin(l)
	})
}

// SetLimits changes the limits that are not absent, for the present run and,
// unless runtime, for those to come.
func (c *Cgroupfs) SetLimits(ctx context.Context, unit string, set limit.Set, runtime bool) error {
	_, err := c.known(ctx, "set limits", unit, func(l *life) error {
		c.mu.Lock()
		g := l.group
		if g != nil {
			l.record.Spec.Limits = set.Merge(l.record.Spec.Limits)
		}
		r := l.record
		c.mu.Unlock()
		if g != nil {
			if err := g.SetLimits(set); err != nil {
				return err
			}
		}
		if runtime {
			return nil
		}
		r.Spec.Limits = set.Merge(r.Spec.Limits)
		return r.write(recordPath(c.opts.Dir, l.name))
	})
	return err
}

// Reapply writes the limits of a service to the kernel again.
func (c *Cgroupfs) Reapply(ctx context.Context, unit string) error {
	_, err := c.known(ctx, "reapply limits", unit, func(l *life) error {
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

func (c *Cgroupfs) known(ctx context.Context, verb, unit string, act func(*life) error) (Job, error) {
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
	return c.do(ctx, verb, l, func() error { return act(l) })
}

// do acts on one service, one action at a time.
func (c *Cgroupfs) do(ctx context.Context, verb string, l *life, act func() error) (Job, error) {
	select {
	case l.busy <- struct{}{}:
		defer func() { <-l.busy }()
	case <-ctx.Done():
		return Job{}, fmt.Errorf("%s %s: %w", verb, l.name, context.Cause(ctx))
	}
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	if closed {
		return Job{}, fmt.Errorf("%s %s: %w", verb, l.name, ErrClosed)
	}
	if err := act(); err != nil {
		return Job{}, fmt.Errorf("%s %s: %w", verb, l.name, err)
	}
	return done, nil
}

func (c *Cgroupfs) running(l *life) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return l.proc != nil
}

// begin runs the service in a new cgroup: counters begin at 0, as they do with
// systemd. The record is written before, without the process: should the daemon
// end in between, the next one finds the process in the cgroup.
func (c *Cgroupfs) begin(l *life) error {
	path := recordPath(c.opts.Dir, l.name)
	c.mu.Lock()
	r := l.record
	old := l.group
	l.group = nil
	c.mu.Unlock()
	r.PID, r.StartTime, r.Invocation, r.Started = 0, "", newInvocation(), time.Now()
	if err := r.write(path); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	if old != nil {
		if err := old.Close(); err != nil {
			return err
		}
	}
	if err := c.opts.Tree.Delete(l.name); err != nil {
		return err
	}
	g, err := c.opts.Tree.Create(l.name)
	if err != nil {
		return err
	}
	p, err := c.spawnInto(g, l.name, r)
	if err != nil {
		return errors.Join(err, g.Close(), c.opts.Tree.Delete(l.name))
	}
	// One that ended already has none, and needs none.
	if started, err := startTime(c.opts.Proc, p.pid); err == nil {
		r.PID, r.StartTime = p.pid, started
	}
	if err := r.write(path); err != nil {
		err = fmt.Errorf("it runs, but its record could not be written: %w", err)
		return errors.Join(err, c.hold(l, r, g, p))
	}
	return c.hold(l, r, g, p)
}

// hold makes a process the main process of its service. When the driver was
// closed meanwhile, the process is let go of, as all others were.
func (c *Cgroupfs) hold(l *life, r record, g *cgroup.Group, p *process) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return errors.Join(ErrClosed, g.Close(), p.close())
	}
	l.record, l.group, l.proc = r, g, p
	l.stopping, l.exit, l.result = false, exit{}, "success"
	c.touch(unitPath(l.name))
	c.follow(l, p)
	return nil
}

// spawnInto sets the limits and starts the program. What it leaves behind when
// it fails is dead.
func (c *Cgroupfs) spawnInto(g *cgroup.Group, name string, r record) (*process, error) {
	if err := g.SetLimits(r.Spec.Limits); err != nil {
		return nil, err
	}
	dir := filepath.Join(c.opts.Root, c.opts.Tree.Path(name))
	env := childEnv(c.opts.Environ, r.Invocation, r.Spec.Env)
	p, err := spawn(r.Spec, dir, c.opts.Proc, env, c.opts.Stdout, c.opts.Stderr)
	if err != nil && p != nil { // started, but not as it should be; SIGKILL is on its way
		p.wait()
		return nil, errors.Join(err, p.close())
	}
	return p, err
}

// finish stops a service. Processes that have outlived their main process are
// ended as well.
func (c *Cgroupfs) finish(ctx context.Context, l *life) error {
	c.mu.Lock()
	p, g, sig, timeout := l.proc, l.group, l.stopSignal(), l.stopTimeout()
	l.stopping = true
	c.touch(unitPath(l.name))
	c.mu.Unlock()
	if g == nil {
		return nil
	}
	if p != nil {
		if err := p.signal(sig); err != nil {
			return err
		}
		if err := endedWithin(ctx, p, timeout); err != nil {
			return err
		}
	}
	if err := g.Kill(); err != nil && !errors.Is(err, cgroup.ErrGone) {
		return err
	}
	err := g.Await(ctx, func(s cgroup.State) bool { return !s.Populated })
	if err != nil && !errors.Is(err, cgroup.ErrGone) {
		return err
	}
	if p != nil {
		return p.ended(ctx)
	}
	return nil
}

// endedWithin waits for the end of a process, at most so long; that it did not
// end is no error.
func endedWithin(ctx context.Context, p *process, d time.Duration) error {
	grace, cancel := context.WithTimeoutCause(ctx, d, errGrace)
	defer cancel()
	if err := p.ended(grace); !errors.Is(err, errGrace) {
		return err
	}
	return nil
}

var errGrace = errors.New("it did not end in time")
