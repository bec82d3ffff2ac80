package unit

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/memsup/memsup/internal/cgroup"
)

// begin runs the service in a new cgroup: counters begin at 0, as they do with
// systemd. restarts is its NRestarts from then on. One that cannot be begun has
// failed.
func (c *Cgroupfs) begin(ctx context.Context, l *life, restarts uint32) error {
	c.mu.Lock()
	l.cancelRetry()
	if restarts == 0 { // someone asked for it
		l.failures = 0
	}
	r, old := l.record, l.group
	l.group = nil
	c.mu.Unlock()
	r.PID, r.StartTime, r.Invocation, r.Started = 0, "", newInvocation(), time.Now()
	r.NRestarts, r.Restarting = restarts, false
	err := c.birth(ctx, l, r, old)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil && l.proc == nil && !c.closed {
		l.result, l.exit, l.inactive = "resources", exit{}, time.Now()
		c.touch(unitPath(l.name))
	}
	return err
}

// birth ends what the last life left and begins the next. The record is written
// before, without the process: should the daemon end in between, the next one
// finds the process in the cgroup.
func (c *Cgroupfs) birth(ctx context.Context, l *life, r record, old *cgroup.Group) error {
	path := recordPath(c.opts.Dir, l.name)
	before := r.write(path) // its trouble must not keep a service down
	if old != nil {
		if err := errors.Join(killAll(ctx, old), old.Close()); err != nil {
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
		err = fmt.Errorf("it runs, but its record could not be written: %w", errors.Join(before, err))
		return errors.Join(err, c.hold(ctx, l, r, g, p))
	}
	return c.hold(ctx, l, r, g, p)
}

// hold makes a process the main process of its service. When the driver was
// closed meanwhile, the process is let go of, as all others were.
func (c *Cgroupfs) hold(ctx context.Context, l *life, r record, g *cgroup.Group, p *process) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return errors.Join(ErrClosed, g.Close(), p.close())
	}
	r.Spec = l.record.Spec // it may have been described anew
	l.record, l.group, l.proc = r, g, p
	l.exit, l.result = exit{}, "success"
	c.touch(unitPath(l.name))
	c.follow(ctx, l, p)
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

// renew stops a service and runs it again. That it is under way is on disk before
// the signal is sent, so that it is neither forgotten nor begun twice.
func (c *Cgroupfs) renew(ctx context.Context, l *life) error {
	if err := c.rewrite(l, func(r *record) { r.Restarting = true }); err != nil {
		// A full disk does not keep a service from being helped.
		c.opts.Trouble(fmt.Errorf("restart %s: it goes ahead though its record is not on disk: %w", l.name, err))
	}
	if err := c.finish(ctx, l); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return errors.Join(err, c.rewrite(l, func(r *record) { r.Restarting = false }))
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return c.begin(ctx, l, 0)
}

// finish stops a service. Processes that have outlived their main process are
// ended as well.
func (c *Cgroupfs) finish(ctx context.Context, l *life) error {
	c.mu.Lock()
	l.cancelRetry()
	p, g, sig, timeout := l.proc, l.group, l.stopSignal(), l.stopTimeout()
	l.stopping = true
	c.touch(unitPath(l.name))
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		l.stopping = false
		c.touch(unitPath(l.name))
	}()
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
	if err := killAll(ctx, g); err != nil {
		return err
	}
	if p != nil {
		if err := p.ended(ctx); err != nil {
			return err
		}
		c.noteEnd(ctx, l, p) // while it is known to be stopping
	}
	return nil
}

// killAll ends every process of a cgroup, and returns when there is none.
func killAll(ctx context.Context, g *cgroup.Group) error {
	err := g.Kill()
	if err == nil {
		err = g.Await(ctx, func(s cgroup.State) bool { return !s.Populated })
	}
	if errors.Is(err, cgroup.ErrGone) {
		return nil
	}
	return err
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
