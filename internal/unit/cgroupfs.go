package unit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/memsup/memsup/internal/cgroup"
)

// CgroupfsOptions say where a [Cgroupfs] works.
type CgroupfsOptions struct {
	Tree    cgroup.Subtree // delegated, and with no processes of its own
	Root    string         // where cgroup2 is mounted, "/sys/fs/cgroup"
	Proc    string         // "/proc"
	Dir     string         // for its records; survives the daemon, not the boot
	Environ []string       // the daemon's, of which services get what is not private
	Stdout  *os.File       // of the services
	Stderr  *os.File
	// Trouble is told what fails when nobody waits for it; nil for nobody.
	Trouble func(error)
}

// Cgroupfs runs services without systemd, each in a cgroup of its own inside a
// delegated subtree. It answers as [Systemd] does, in the same words. Services
// outlive it: what it needs to hold them again is on disk, and a restart that it
// had begun is gone on with. A service that fails by itself is started again
// with systemd's Restart=on-failure, while there is a Cgroupfs that holds it.
type Cgroupfs struct {
	hub
	opts    CgroupfsOptions
	gone    chan struct{} // closed by Close: jobs end
	waiting sync.WaitGroup
	lives   map[string]*life // guarded by hub.mu
}

// NewCgroupfs takes hold of the services that an earlier daemon left running.
// bad names those that it could not take hold of; a record that makes no sense
// is set aside with ".bad" after its name. The end of ctx does not end the driver.
func NewCgroupfs(ctx context.Context, opts CgroupfsOptions) (c *Cgroupfs, bad []error, err error) {
	if err := hasClone3(); err != nil {
		return nil, nil, fmt.Errorf("cgroupfs: %w", err)
	}
	if err := os.MkdirAll(opts.Dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("cgroupfs: %w", err)
	}
	paths, err := filepath.Glob(filepath.Join(opts.Dir, "*.json"))
	if err != nil {
		return nil, nil, fmt.Errorf("cgroupfs: %w", err)
	}
	c = &Cgroupfs{hub: hub{connected: true}, opts: opts, gone: make(chan struct{}), lives: map[string]*life{}}
	if c.opts.Trouble == nil {
		c.opts.Trouble = func(error) {}
	}
	for _, path := range paths {
		if err := c.resume(ctx, path); err != nil {
			bad = append(bad, fmt.Errorf("cgroupfs: %w", err))
		}
	}
	return c, bad, nil
}

// resume takes hold of the service that a record describes.
func (c *Cgroupfs) resume(ctx context.Context, path string) error {
	r, err := readRecord(path)
	if err != nil {
		return errors.Join(err, os.Rename(path, path+".bad"))
	}
	name := strings.TrimSuffix(filepath.Base(path), ".json")
	l := newLife(name, r)
	c.lives[name] = l
	if err := c.find(ctx, l); err != nil {
		return err
	}
	if r.Restarting {
		l.busy <- struct{}{} // it is new: nobody holds it
		_, err = c.start(ctx, "restart", l, func(ctx context.Context) error {
			err := c.renew(ctx, l)
			if err != nil && !errors.Is(err, ErrClosed) {
				c.opts.Trouble(fmt.Errorf("go on with the restart of %s: %w", name, err))
			}
			return err
		})
	}
	return err
}

// find takes hold of the cgroup and the main process of a service, if it has any.
func (c *Cgroupfs) find(ctx context.Context, l *life) error {
	g, err := cgroup.Open(c.opts.Root, c.opts.Tree.Path(l.name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it is not running
	}
	if err != nil {
		return err
	}
	l.group = g
	pids, err := g.Procs(nil)
	if err != nil {
		return err
	}
	if p := mainOf(c.opts.Proc, l.record, pids); p != nil {
		l.proc = p
		c.follow(ctx, l, p)
	}
	return nil
}

// mainOf is the main process among those of a service's cgroup: the recorded
// one, or else the one that has run longest; nil when none is left.
func mainOf(proc string, r record, pids []int) *process {
	oldest, since := 0, ""
	for _, pid := range pids {
		started, err := startTime(proc, pid)
		if err != nil {
			continue // it ended meanwhile
		}
		if pid == r.PID && started == r.StartTime {
			oldest, since = pid, started
			break
		}
		if oldest == 0 || len(started) < len(since) || len(started) == len(since) && started < since {
			oldest, since = pid, started
		}
	}
	if oldest == 0 {
		return nil
	}
	p, err := adopt(proc, oldest, since)
	if err != nil {
		return nil // it ended meanwhile
	}
	return p
}

// follow waits for the end of a main process.
func (c *Cgroupfs) follow(ctx context.Context, l *life, p *process) {
	c.waiting.Go(func() {
		if p.wait() {
			c.noteEnd(ctx, l, p)
		}
	})
}

// noteEnd notes, once, that a main process is no more, and what follows from it.
func (c *Cgroupfs) noteEnd(ctx context.Context, l *life, p *process) {
	c.mu.Lock()
	var err error
	if !c.closed && l.ended(p) {
		if !l.stopping && l.result != "success" && l.record.Spec.Restart == "on-failure" {
			err = c.again(ctx, l)
		}
		c.touch(unitPath(l.name))
	}
	c.mu.Unlock()
	if err != nil {
		c.opts.Trouble(err)
	}
}

// State reads a service; as [Systemd.State].
func (c *Cgroupfs) State(_ context.Context, unit string) (State, error) {
	name, err := Name(unit)
	if err != nil {
		return State{}, fmt.Errorf("state: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.lives[name]
	switch {
	case c.closed:
		return State{}, fmt.Errorf("state of %s: %w", name, ErrClosed)
	case l == nil:
		return State{Name: name, LoadState: "not-found", ActiveState: "inactive", SubState: "dead"}, nil
	}
	st := l.state()
	if l.proc != nil {
		st.Cgroup = c.opts.Tree.Path(name)
	}
	return st, nil
}

// Close lets go of the services, which run on. A restart under way is left where
// it is, for the next Cgroupfs to go on with. It may be called more than once.
func (c *Cgroupfs) Close() error {
	c.mu.Lock()
	var errs []error
	if !c.closed {
		c.end()
		close(c.gone)
		for _, l := range c.lives {
			errs = append(errs, l.close())
		}
	}
	c.mu.Unlock()
	c.waiting.Wait()
	return errors.Join(errs...)
}
