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
	for file := range sampled {
		b, err := g.fetch(file, buf)
		if err == nil && b != nil {
			err = r.parse(file, b)
		}
		if err != nil {
			return g.readError(file, err)
		}
	}
	return nil
}

// ReadLimits reads the limits as the kernel has them, rounded to whole pages by
// it. A limit whose file does not exist (swap without swap accounting) is absent.
func (g *Group) ReadLimits() (limit.Set, error) {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.dir < 0 {
		return limit.Set{}, fmt.Errorf("read cgroup %s: %w", g.path, ErrClosed)
	}
	var s limit.Set
	for file := memMin; file <= memMax; file++ {
		b, err := g.fetch(file, buf)
		if err == nil && b != nil {
			*limitOf(&s, file), err = limit.ParseKernel(b)
		}
		if err != nil {
			return limit.Set{}, g.readError(file, err)
		}
	}
	return s, nil
}

func (g *Group) readError(file int, err error) error {
	return fmt.Errorf("read cgroup %s: %s: %w", g.path, files[file].name, gone(err))
}

// fetch returns the content of one of the kept files, or nil when it is absent.
func (g *Group) fetch(file int, buf *[]byte) ([]byte, error) {
	if !g.has[file] {
		return nil, nil
	}
	b, err := g.content(file, buf)
	if err != nil && files[file].optional && absent(err) {
		// Hidden while the handle was open (cgroup.pressure turned off, a
		// controller disabled), unless the cgroup went away between two files.
		if _, err := g.content(current, buf); err == nil {
			return nil, nil
		}
	}
	return b, err
}

// content reads one of the kept files.
func (g *Group) content(file int, buf *[]byte) ([]byte, error) {
	if fd := g.kept[file]; fd >= 0 {
		return pread(fd, buf)
	}
	return readAt(g.dir, files[file].name, buf)
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

// readKept reads and parses one of the kept files.
func (g *Group) readKept(file int, parse func(b []byte) error) error {
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
		return g.readError(file, err)
	}
	return nil
}

// Current reads memory.current alone, at a tenth of the cost of Read.
func (g *Group) Current() (n uint64, err error) {
	err = g.readKept(current, func(b []byte) (err error) { n, err = parseUint(b); return err })
	return n, err
}

// ReadEvents reads memory.events alone.
func (g *Group) ReadEvents() (e Events, err error) {
	err = g.readKept(events, func(b []byte) (err error) { e, err = parseEvents(b); return err })
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
	if !g.has[pressure] {
		return p, g.readError(pressure, psi.ErrDisabled)
	}
	err = g.readKept(pressure, func(b []byte) (err error) { p, err = psi.Parse(b); return err })
	return p, err
}

// ReadState reads cgroup.events.
func (g *Group) ReadState() (s State, err error) {
	err = g.readFile("cgroup.events", func(b []byte) (err error) { s, err = parseState(b); return err })
	return s, err
}

// readFile reads and parses a file whose descriptor is not kept.
func (g *Group) readFile(name string, parse func(b []byte) error) error {
	err := g.use(func() error {
		buf := buffers.Get().(*[]byte)
		defer buffers.Put(buf)
		b, err := readAll(g.dir, name, buf)
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
