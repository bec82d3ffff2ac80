package unit

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/godbus/dbus/v5"
)

// Change says what to look at again. It is a hint, never the news itself: read
// [Systemd.State] for that.
type Change struct {
	Units     []string // watched units that may have changed, sorted, by the name they are watched under
	Reloaded  bool     // the manager has read its unit files again (daemon-reload)
	Connected bool     // whether the driver could be asked when the Change was taken
}

// Watch follows units. Changes are merged until they are taken, so that a slow
// reader costs nothing, and the fact that something changed is never lost.
type Watch struct {
	hub   *hub
	ready chan struct{} // holds one token while there is something to take

	// Guarded by hub.mu.
	paths    map[dbus.ObjectPath]string // object path -> name watched under; an alias has two
	dirty    map[string]bool
	reloaded bool
	closed   bool
}

// hub is what a driver tells its watches through.
type hub struct {
	mu        sync.Mutex
	watches   map[*Watch]struct{}
	connected bool
	closed    bool
}

// Watch begins to follow units; all of them are in its first [Change].
func (h *hub) Watch(units ...string) (*Watch, error) {
	w := &Watch{hub: h, ready: make(chan struct{}, 1), paths: map[dbus.ObjectPath]string{}, dirty: map[string]bool{}}
	for _, u := range units {
		name, err := Name(u)
		if err != nil {
			return nil, fmt.Errorf("watch: %w", err)
		}
		w.paths[unitPath(name)] = name
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, fmt.Errorf("watch: %w", ErrClosed)
	}
	if h.watches == nil {
		h.watches = map[*Watch]struct{}{}
	}
	h.watches[w] = struct{}{}
	w.all()
	return w, nil
}

// Ready receives when there is a Change to [Watch.Take], and is closed by
// Close of the Watch or of its driver.
func (w *Watch) Ready() <-chan struct{} { return w.ready }

// Take returns what has gathered since the last Take.
func (w *Watch) Take() Change {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	c := Change{Reloaded: w.reloaded, Connected: w.hub.connected}
	for name := range w.dirty {
		c.Units = append(c.Units, name)
	}
	slices.Sort(c.Units)
	clear(w.dirty)
	w.reloaded = false
	return c
}

// Next waits for a Change and takes it.
func (w *Watch) Next(ctx context.Context) (Change, error) {
	select {
	case _, ok := <-w.ready:
		if !ok {
			return Change{}, fmt.Errorf("watch: %w", ErrClosed)
		}
		return w.Take(), nil
	case <-ctx.Done():
		return Change{}, context.Cause(ctx)
	}
}

// Close ends the watch. It may be called more than once.
func (w *Watch) Close() error {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	w.end()
	return nil
}

// The rest runs under hub.mu.

// end ends all watches, and refuses new ones.
func (h *hub) end() {
	h.closed = true
	for w := range h.watches {
		w.end()
	}
}

// touch makes the unit at path dirty in every watch that has it.
func (h *hub) touch(path dbus.ObjectPath) {
	for w := range h.watches {
		w.touch(path)
	}
}

func (w *Watch) end() {
	if w.closed {
		return
	}
	w.closed = true
	delete(w.hub.watches, w)
	close(w.ready)
}

func (w *Watch) wake() {
	select {
	case w.ready <- struct{}{}:
	default:
	}
}

func (w *Watch) touch(path dbus.ObjectPath) {
	if name, ok := w.paths[path]; ok {
		w.dirty[name] = true
		w.wake()
	}
}

func (w *Watch) all() {
	for _, name := range w.paths {
		w.dirty[name] = true
	}
	w.wake()
}

// alias notes that changes of the unit watched as name are announced at path.
func (w *Watch) alias(name string, path dbus.ObjectPath) {
	if own := unitPath(name); w.paths[own] == name && own != path {
		for p, n := range w.paths { // an alias can be moved to another unit
			if n == name && p != own {
				delete(w.paths, p)
			}
		}
		w.paths[path] = name
	}
}
