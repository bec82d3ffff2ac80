package cgroup

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/memsup/memsup/internal/limit"
	"github.com/memsup/memsup/internal/psi"
)

// Read fills r from the cgroup's files: one pread each, no allocation. The files
// are read one after another, not at one instant; memory.stat may lag
// memory.current by up to two seconds of the kernel's flushing.
//
// Absent files leave their fields absent. On any error r must not be used; it is
// [ErrGone] when the cgroup was removed.
func (g *Group) Read(r *Reading) error {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.dir < 0 {
		return fmt.Errorf("read cgroup %s: %w", g.path, ErrClosed)
	}
	*r = Reading{}
	vanished := false
	for file := range hotFiles {
		if !g.open[file] {
			continue
		}
		b, err := g.content(file, buf)
		if err != nil && optional(file) && absent(err) {
			// Hidden while the handle was open (cgroup.pressure turned off, a
			// controller disabled), or the cgroup went away between two files.
			vanished = true
			continue
		}
		if err == nil {
			err = r.parse(file, b)
		}
		if err != nil {
			return fmt.Errorf("read cgroup %s: %s: %w", g.path, hotNames[file], gone(err))
		}
	}
	if vanished {
		if _, err := g.content(current, buf); err != nil {
			return fmt.Errorf("read cgroup %s: %s: %w", g.path, hotNames[current], gone(err))
		}
	}
	return nil
}

// content reads one of the hot files.
func (g *Group) content(file int, buf *[]byte) ([]byte, error) {
	if fd := g.kept[file]; fd >= 0 {
		return pread(fd, buf)
	}
	return readAt(g.dir, hotNames[file], buf)
}

// absent reports whether err means that the file is not to be had: removed, or
// PSI disabled at boot (EOPNOTSUPP).
func absent(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EOPNOTSUPP)
}

// parse puts the content of one file where it belongs.
func (r *Reading) parse(file int, b []byte) (err error) {
	switch file {
	case current:
		r.Current, err = parseUint(b)
	case stat:
		r.Stat, err = parseStat(b)
	case events:
		r.Events, err = parseEvents(b)
	case swap:
		r.Swap, err = parseAmount(b)
	case peak:
		r.Peak, err = parseAmount(b)
	case pressure:
		r.Pressure, err = psi.Parse(b)
	case pids:
		r.Pids, err = parseAmount(b)
	case cpu:
		r.CPU, err = parseCPU(b)
	}
	return err
}

func parseAmount(b []byte) (Amount, error) {
	n, err := parseUint(b)
	if err != nil {
		return Amount{}, err
	}
	return Known(n), nil
}

// readHot reads and parses one of the hot files.
func (g *Group) readHot(file int, parse func(b []byte) error) error {
	err := g.use(func() error {
		buf := buffers.Get().(*[]byte)
		defer buffers.Put(buf)
		b, err := g.content(file, buf)
		if err != nil {
			return err
		}
		return parse(b)
	})
	if err != nil {
		return fmt.Errorf("read cgroup %s: %s: %w", g.path, hotNames[file], gone(err))
	}
	return nil
}

// Current reads memory.current alone, at a tenth of the cost of Read.
func (g *Group) Current() (n uint64, err error) {
	err = g.readHot(current, func(b []byte) (err error) { n, err = parseUint(b); return err })
	return n, err
}

// ReadEvents reads memory.events alone.
func (g *Group) ReadEvents() (e Events, err error) {
	err = g.readHot(events, func(b []byte) (err error) { e, err = parseEvents(b); return err })
	return e, err
}

// ReadLocalEvents reads memory.events.local: what happened to this cgroup itself,
// without its descendants (and with oom_kill counted where the limit was hit).
func (g *Group) ReadLocalEvents() (e Events, err error) {
	err = g.readFile("memory.events.local", func(b []byte) (err error) { e, err = parseEvents(b); return err })
	return e, err
}

// ReadPressure reads memory.pressure alone. The error is [psi.ErrDisabled] when
// the kernel keeps none.
func (g *Group) ReadPressure() (p psi.Pressure, err error) {
	if !g.open[pressure] {
		return p, fmt.Errorf("read cgroup %s: %s: %w", g.path, hotNames[pressure], psi.ErrDisabled)
	}
	err = g.readHot(pressure, func(b []byte) (err error) { p, err = psi.Parse(b); return err })
	return p, err
}

// ReadState reads cgroup.events.
func (g *Group) ReadState() (s State, err error) {
	err = g.readFile("cgroup.events", func(b []byte) (err error) { s, err = parseState(b); return err })
	return s, err
}

// ReadLimits reads the limits as the kernel has them, rounded to whole pages by
// it. A limit whose file does not exist (swap without swap accounting) is absent.
func (g *Group) ReadLimits() (limit.Set, error) {
	var s limit.Set
	for _, f := range limitFiles {
		err := g.readFile(f.name, func(b []byte) error {
			v, err := limit.ParseKernel(b)
			*f.of(&s) = v
			return err
		})
		if err != nil && (!f.optional || !errors.Is(err, errAbsent)) {
			return limit.Set{}, err
		}
	}
	return s, nil
}

// limitFiles are in the order in which they are safe to write: protections
// first, and high before max, so that a lowered limit throttles before it kills.
var limitFiles = [...]struct {
	name     string
	optional bool
	of       func(*limit.Set) *limit.Value
}{
	{"memory.min", false, func(s *limit.Set) *limit.Value { return &s.Min }},
	{"memory.low", false, func(s *limit.Set) *limit.Value { return &s.Low }},
	{"memory.swap.max", true, func(s *limit.Set) *limit.Value { return &s.SwapMax }},
	{"memory.high", false, func(s *limit.Set) *limit.Value { return &s.High }},
	{"memory.max", false, func(s *limit.Set) *limit.Value { return &s.Max }},
}

// readFile reads and parses a file whose descriptor is not kept.
func (g *Group) readFile(name string, parse func(b []byte) error) error {
	err := g.use(func() error {
		buf := buffers.Get().(*[]byte)
		defer buffers.Put(buf)
		b, err := readAt(g.dir, name, buf)
		if err != nil {
			return g.explain(err)
		}
		return parse(b)
	})
	if err != nil {
		return fmt.Errorf("read cgroup %s: %s: %w", g.path, name, err)
	}
	return nil
}
