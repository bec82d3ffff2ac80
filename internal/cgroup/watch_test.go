package cgroup

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func newWatcher(t *testing.T) *Watcher {
	t.Helper()
	w, err := NewWatcher()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func add(t *testing.T, w *Watcher, g *Group, key string) {
	t.Helper()
	if err := w.Add(g, key); err != nil {
		t.Fatal(err)
	}
}

func wait(t *testing.T, w *Watcher) []Notice {
	t.Helper()
	notices, err := w.Wait(nil)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(notices, func(a, b Notice) int { return strings.Compare(a.Key, b.Key) })
	return notices
}

// touch is a change of the file's content, one IN_MODIFY.
func touch(t *testing.T, root, path, file string) {
	t.Helper()
	overwrite(t, root, path, file, get(t, root, path, file))
}

const pricing = "/memsup.slice/walmart-pricing.service"

func TestWatcherNamesTheGroup(t *testing.T) {
	root := plant(t, "linux-6.12", apiServer)
	plantAt(t, root, "linux-6.12", pricing)
	w := newWatcher(t)
	add(t, w, openGroup(t, root, apiServer), "api-server")
	add(t, w, openGroup(t, root, pricing), "pricing")

	touch(t, root, pricing, "memory.events")
	if got, want := wait(t, w), []Notice{{"pricing", MemoryEvents}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	touch(t, root, apiServer, "cgroup.events")
	if got, want := wait(t, w), []Notice{{"api-server", StateEvents}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	touch(t, root, apiServer, "memory.current") // not watched
	for range 5 {
		touch(t, root, apiServer, "memory.events")
		touch(t, root, pricing, "memory.events")
		touch(t, root, apiServer, "cgroup.events")
	}
	if got, want := wait(t, w), []Notice{{"api-server", MemoryEvents | StateEvents}, {"pricing", MemoryEvents}}; !slices.Equal(got, want) {
		t.Errorf("coalesced: got %v, want %v", got, want)
	}
}

func TestWatcherSharesAFile(t *testing.T) {
	root := plant(t, "linux-6.12", apiServer)
	w := newWatcher(t)
	g := openGroup(t, root, apiServer)
	add(t, w, g, "a")
	add(t, w, g, "b")
	if err := w.Add(g, "a"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a key twice: %v, want fs.ErrExist", err)
	}
	touch(t, root, apiServer, "memory.events")
	if got, want := wait(t, w), []Notice{{"a", MemoryEvents}, {"b", MemoryEvents}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if err := w.Remove("a"); err != nil {
		t.Fatal(err)
	}
	touch(t, root, apiServer, "memory.events")
	if got, want := wait(t, w), []Notice{{"b", MemoryEvents}}; !slices.Equal(got, want) {
		t.Errorf("after Remove: got %v, want %v", got, want)
	}
	for _, key := range []string{"b", "b", "never"} {
		if err := w.Remove(key); err != nil {
			t.Errorf("Remove(%q): %v", key, err)
		}
	}
	if len(w.watches) != 0 || len(w.keys) != 0 {
		t.Errorf("left behind: %v, %v", w.watches, w.keys)
	}
	// A key may come back, with its cgroup made anew.
	add(t, w, g, "a")
	touch(t, root, apiServer, "memory.events")
	if got, want := wait(t, w), []Notice{{"a", MemoryEvents}}; !slices.Equal(got, want) {
		t.Errorf("added again: got %v, want %v", got, want)
	}
}

func TestWatcherAfterRemoval(t *testing.T) {
	root := plant(t, "linux-6.12", apiServer)
	plantAt(t, root, "linux-6.12", pricing)
	w := newWatcher(t)
	add(t, w, openGroup(t, root, apiServer, Lean()), "api-server")
	add(t, w, openGroup(t, root, pricing), "pricing")
	drop(t, root, apiServer)
	got := wait(t, w)
	if len(got) != 1 || got[0].Key != "api-server" || got[0].Change&Removed == 0 {
		t.Fatalf("got %v, want api-server removed", got)
	}
	touch(t, root, pricing, "memory.events")
	if got, want := wait(t, w), []Notice{{"pricing", MemoryEvents}}; !slices.Equal(got, want) {
		t.Errorf("then got %v, want %v", got, want)
	}
	if len(w.watches) != 2 || len(w.keys) != 1 {
		t.Errorf("left behind: %v, %v", w.watches, w.keys)
	}
}

func TestWatcherAddFailsWhole(t *testing.T) {
	root := plant(t, "linux-6.12", apiServer)
	w := newWatcher(t)
	g := openGroup(t, root, apiServer)
	drop(t, root, apiServer+"/cgroup.events")
	if err := w.Add(g, "x"); !errors.Is(err, ErrGone) {
		t.Errorf("%v, want ErrGone", err)
	}
	if len(w.watches) != 0 || len(w.keys) != 0 {
		t.Errorf("left behind: %v, %v", w.watches, w.keys)
	}
}

// event is one struct inotify_event without a name.
func event(wd int, mask uint32) []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(int32(wd)))
	b = binary.NativeEndian.AppendUint32(b, mask)
	return append(b, make([]byte, 8)...)
}

func TestWatcherOverflowReportsEveryGroup(t *testing.T) {
	root := plant(t, "linux-6.12", apiServer)
	w := newWatcher(t)
	g := openGroup(t, root, apiServer)
	const n = 100
	for i := range n {
		add(t, w, g, strconv.Itoa(i))
	}
	w.mu.Lock()
	wd := w.keys["7"].wds[0]
	w.mu.Unlock()
	// In one read with others, before and after.
	b := slices.Concat(event(wd, unix.IN_MODIFY), event(-1, unix.IN_Q_OVERFLOW), event(wd, unix.IN_MODIFY))
	notices, err := w.translate(nil, b)
	if err != nil || len(notices) != n {
		t.Fatalf("%d notices, %v; want %d", len(notices), err, n)
	}
	for _, got := range notices {
		if got.Change != MemoryEvents|StateEvents {
			t.Errorf("%v, want both changes", got)
		}
	}
}

func TestWatcherIgnoresWhatItDoesNotKnow(t *testing.T) {
	w := newWatcher(t)
	truncated := event(12345, unix.IN_MODIFY)[:10]
	named := event(7, unix.IN_MODIFY)
	binary.NativeEndian.PutUint32(named[12:], 1<<30) // longer than what was read
	for _, b := range [][]byte{nil, truncated, named, event(12345, unix.IN_MODIFY|unix.IN_IGNORED)} {
		if got, err := w.translate(nil, b); err != nil || len(got) != 0 {
			t.Errorf("%x: %v, %v; want nothing", b, got, err)
		}
	}
}

func TestWatcherCloseUnblocksWait(t *testing.T) {
	w := newWatcher(t)
	g := openGroup(t, plant(t, "linux-6.12", apiServer), apiServer)
	add(t, w, g, "x")
	done := make(chan error)
	go func() {
		_, err := w.Wait(nil)
		done <- err
	}()
	for range 2 {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Errorf("Wait: %v, want ErrClosed", err)
	}
	if _, err := w.Wait(nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Wait after Close: %v, want ErrClosed", err)
	}
	if err := w.Add(g, "y"); !errors.Is(err, ErrClosed) {
		t.Errorf("Add after Close: %v, want ErrClosed", err)
	}
	if err := w.Remove("x"); err != nil {
		t.Errorf("Remove after Close: %v", err)
	}
}

func TestWatchErrorsNameTheFix(t *testing.T) {
	if err := watchError(unix.ENOSPC); !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "fs.inotify.max_user_watches") {
		t.Errorf("ENOSPC: %v", err)
	}
}

func FuzzWatcherTranslate(f *testing.F) {
	f.Add(event(1, unix.IN_MODIFY))
	f.Add(slices.Concat(event(-1, unix.IN_Q_OVERFLOW), event(2, unix.IN_IGNORED)))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, c := &entry{key: "a", wds: []int{1, 2}}, &entry{key: "c", wds: []int{2}}
		w := &Watcher{
			fd:      -1,
			keys:    map[string]*entry{"a": a, "c": c},
			watches: map[int]*watched{1: {MemoryEvents, []*entry{a}}, 2: {StateEvents, []*entry{a, c}}},
		}
		notices, _ := w.translate(nil, b) // removing from inotify fails: there is none
		if len(notices) > 2 {
			t.Fatalf("%x: %v: more than one a group", b, notices)
		}
		for _, n := range notices {
			if n.Change == 0 || n.Key != "a" && n.Key != "c" {
				t.Fatalf("%x: %v", b, n)
			}
		}
	})
}
