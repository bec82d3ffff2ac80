package cgroup

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/memsup/memsup/internal/feature"
)

// Change says what happened, as a set of bits.
type Change uint8

// The changes that a [Watcher] reports.
const (
	// MemoryEvents: a counter of memory.events rose. The first wake-up of an OOM
	// can precede the kill ("max" and "oom" rise first), so read on every one.
	MemoryEvents Change = 1 << iota
	// StateEvents: cgroup.events changed: the last process left, the first one
	// came, or it froze or thawed.
	StateEvents
	// Removed: the cgroup is gone and no longer watched. Kernels do not say so
	// for cgroup files in general; the usual sign is StateEvents, followed by
	// ErrGone from a read.
	Removed
)

// Notice is a change of one group.
type Notice struct {
	Key    string // as given to Add
	Change Change
}

// Watcher waits for changes of any number of groups on one inotify descriptor.
//
// Add, Remove and Close may be called at any time from any goroutine; Wait is
// meant for one goroutine, a second caller waits its turn.
type Watcher struct {
	file *os.File // non-blocking, so that Close unblocks a read
	fd   int      // of file, for inotify_add_watch; guarded by mu and closed

	reading sync.Mutex
	buf     []byte

	mu       sync.Mutex
	closed   bool
	closeErr error
	watches  map[int]*watched // by watch descriptor
	keys     map[string]*entry
	pending  []*entry // reused by Wait
}

// watched is one file. Two keys may name the same cgroup, and inotify has one
// watch a file.
type watched struct {
	change  Change
	entries []*entry
}

type entry struct {
	key     string
	wds     []int
	pending Change
}

// NewWatcher returns a watcher without groups.
func NewWatcher() (*Watcher, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if errors.Is(err, unix.EMFILE) {
		err = &feature.Error{
			Feature: "inotify",
			Missing: "no more instances for this user, or no more file descriptors",
			Fix:     "raise fs.inotify.max_user_instances or LimitNOFILE=",
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cgroup watcher: create inotify: %w", err)
	}
	return &Watcher{
		file:    os.NewFile(uintptr(fd), "inotify"),
		fd:      fd,
		buf:     make([]byte, 16<<10), // a thousand events of a watched file
		watches: make(map[int]*watched),
		keys:    make(map[string]*entry),
	}, nil
}

// Add watches a group under key. Changes before Add are not reported: add first,
// then read, then start what is to be watched. A key can be in use once; one
// group may have several.
//
// The error is ErrGone, ErrClosed, or fs.ErrExist for a key in use; nothing is
// watched then.
func (w *Watcher) Add(g *Group, key string) error {
	if err := g.use(func() error { return w.add(g, key) }); err != nil {
		return fmt.Errorf("watch cgroup %s: %w", g.path, err)
	}
	return nil
}

func (w *Watcher) add(g *Group, key string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return ErrClosed
	}
	if w.keys[key] != nil {
		return fmt.Errorf("key %q: %w", key, fs.ErrExist)
	}
	e := &entry{key: key}
	w.keys[key] = e
	for _, f := range []struct {
		name   string
		change Change
	}{{"memory.events", MemoryEvents}, {"cgroup.events", StateEvents}} {
		// IN_IGNORED comes unasked, when a file is removed whose kernel says so.
		wd, err := unix.InotifyAddWatch(w.fd, g.magic(f.name), unix.IN_MODIFY)
		if err != nil {
			return errors.Join(fmt.Errorf("%s: %w", f.name, watchError(err)), w.remove(e))
		}
		if w.watches[wd] == nil {
			w.watches[wd] = &watched{change: f.change}
		}
		w.watches[wd].entries = append(w.watches[wd].entries, e)
		e.wds = append(e.wds, wd)
	}
	return nil
}

func watchError(err error) error {
	if errors.Is(err, unix.ENOSPC) {
		return &feature.Error{Feature: "inotify", Missing: "no more watches for this user", Fix: "raise fs.inotify.max_user_watches"}
	}
	return gone(err)
}

// Remove stops watching what was added under key. An unknown key is no error: it
// may have been removed with its cgroup. A notice already taken from the kernel
// may still be delivered by a Wait under way.
func (w *Watcher) Remove(key string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.keys[key]
	if e == nil || w.closed {
		return nil
	}
	return w.remove(e)
}

// remove takes e out of the tables, and the files that no one else watches out of
// inotify. The caller holds mu.
func (w *Watcher) remove(e *entry) error {
	delete(w.keys, e.key)
	var errs []error
	for _, wd := range e.wds {
		f := w.watches[wd]
		if f == nil {
			continue
		}
		f.entries = without(f.entries, e)
		if len(f.entries) > 0 {
			continue
		}
		delete(w.watches, wd)
		// EINVAL: the kernel dropped it with the file; IN_IGNORED is on its way.
		if _, err := unix.InotifyRmWatch(w.fd, uint32(wd)); err != nil && !errors.Is(err, unix.EINVAL) {
			errs = append(errs, fmt.Errorf("unwatch cgroup %q: %w", e.key, err))
		}
	}
	return errors.Join(errs...)
}

func without(entries []*entry, e *entry) []*entry {
	for i := range entries {
		if entries[i] == e {
			return append(entries[:i:i], entries[i+1:]...)
		}
	}
	return entries
}

// Wait blocks until something changed and returns the notices appended to
// notices[:0], one a group, however often it changed. When the kernel's queue
// overflowed, every group is reported with both changes, to be read again.
//
// It returns [ErrClosed] once the watcher is closed.
func (w *Watcher) Wait(notices []Notice) ([]Notice, error) {
	w.reading.Lock()
	defer w.reading.Unlock()
	notices = notices[:0]
	for len(notices) == 0 {
		n, err := w.file.Read(w.buf)
		if err != nil {
			return notices, fmt.Errorf("cgroup watcher: read inotify: %w", err)
		}
		if notices, err = w.translate(notices, w.buf[:n]); err != nil {
			return notices, err
		}
	}
	return notices, nil
}

// translate appends what the kernel's events mean (inotify(7)), a sequence of
//
//	struct inotify_event { int wd; uint32_t mask, cookie, len; char name[len]; }
func (w *Watcher) translate(notices []Notice, b []byte) ([]Notice, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pending = w.pending[:0]
	var errs []error
	for len(b) >= unix.SizeofInotifyEvent {
		wd := int(int32(binary.NativeEndian.Uint32(b)))
		mask := binary.NativeEndian.Uint32(b[4:])
		size := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(b[12:]))
		b = b[min(size, len(b)):]
		if mask&unix.IN_Q_OVERFLOW != 0 {
			for _, e := range w.keys {
				w.mark(e, MemoryEvents|StateEvents)
			}
			continue
		}
		f := w.watches[wd]
		if f == nil {
			continue // removed meanwhile
		}
		change := f.change
		if mask&unix.IN_IGNORED != 0 {
			change = Removed
			delete(w.watches, wd)
		}
		for _, e := range f.entries {
			w.mark(e, change)
			if change == Removed && w.keys[e.key] == e {
				errs = append(errs, w.remove(e))
			}
		}
	}
	for _, e := range w.pending {
		notices = append(notices, Notice{Key: e.key, Change: e.pending})
		e.pending = 0
	}
	return notices, errors.Join(errs...)
}

func (w *Watcher) mark(e *entry, c Change) {
	if e.pending == 0 {
		w.pending = append(w.pending, e)
	}
	e.pending |= c
}

// Close stops watching, unblocks Wait and releases the descriptor. A second Close
// does nothing and returns what the first did.
func (w *Watcher) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return w.closeErr
	}
	w.closed = true
	if err := w.file.Close(); err != nil {
		w.closeErr = fmt.Errorf("cgroup watcher: close inotify: %w", err)
	}
	return w.closeErr
}
