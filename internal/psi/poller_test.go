package psi

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func newPoller(t *testing.T) *Poller {
	t.Helper()
	p, err := NewPoller()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// urgent returns a descriptor that reports EPOLLPRI once fire is called, as a
// trigger does: out-of-band data of TCP. The poller owns the descriptor.
func urgent(t *testing.T) (fd int, fire func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	to := &unix.SockaddrInet4{Port: l.Addr().(*net.TCPAddr).Port, Addr: [4]byte{127, 0, 0, 1}}
	if err := unix.Connect(fd, to); err != nil {
		t.Fatal(err)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return fd, func() {
		t.Helper()
		raw, err := c.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		var sendErr error
		if err := raw.Control(func(fd uintptr) { sendErr = unix.Sendto(int(fd), []byte{1}, unix.MSG_OOB, nil) }); err != nil || sendErr != nil {
			t.Fatal(err, sendErr)
		}
	}
}

// vanishing returns a descriptor that reports EPOLLERR for ever once vanish is
// called, as a trigger of a removed cgroup does: a pipe without a reader.
func vanishing(t *testing.T) (fd int, vanish func()) {
	t.Helper()
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	return p[1], func() {
		t.Helper()
		if err := unix.Close(p[0]); err != nil {
			t.Fatal(err)
		}
	}
}

func adopt(t *testing.T, p *Poller, fd int, key string) *Watch {
	t.Helper()
	w, err := p.adopt(fd, Event{Key: key, Trigger: stalled})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestWaitNamesTheTrigger(t *testing.T) {
	p := newPoller(t)
	quiet, _ := urgent(t)
	adopt(t, p, quiet, "quiet")
	fd, fire := urgent(t)
	adopt(t, p, fd, "api-server")
	fire()
	got, err := p.Wait(nil)
	if want := (Event{Key: "api-server", Trigger: stalled}); err != nil || len(got) != 1 || got[0] != want {
		t.Fatalf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestTriggerAddedWhileWaiting(t *testing.T) {
	p := newPoller(t)
	got := make(chan []Event)
	go func() {
		events, err := p.Wait(nil)
		if err != nil {
			t.Error(err)
		}
		got <- events
	}()
	fd, fire := urgent(t)
	adopt(t, p, fd, "late")
	fire()
	if events := <-got; len(events) != 1 || events[0].Key != "late" {
		t.Errorf("got %+v", events)
	}
}

func TestRemovedCgroupIsDroppedAtOnce(t *testing.T) {
	p := newPoller(t)
	fd, vanish := vanishing(t)
	w := adopt(t, p, fd, "cache-warmer")
	vanish()
	got, err := p.Wait(nil)
	if err != nil || len(got) != 1 || !got[0].Gone || got[0].Key != "cache-warmer" {
		t.Fatalf("got %+v, %v; want one Gone", got, err)
	}
	if w.fd >= 0 || len(p.armed) != 0 {
		t.Errorf("fd %d, %d armed; want it closed", w.fd, len(p.armed))
	}
	// The next Wait is woken by the living alone.
	live, fire := urgent(t)
	adopt(t, p, live, "live")
	fire()
	if got, err = p.Wait(got); err != nil || len(got) != 1 || got[0].Key != "live" || got[0].Gone {
		t.Errorf("then got %+v, %v; want live", got, err)
	}
	if err := w.Close(); err != nil {
		t.Errorf("close of a dropped trigger: %v", err)
	}
}

func TestClosedTriggerIsSilent(t *testing.T) {
	p := newPoller(t)
	fd, fire := urgent(t)
	w := adopt(t, p, fd, "closed")
	fire()
	for range 2 {
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	live, fireLive := urgent(t)
	adopt(t, p, live, "live")
	fireLive()
	if got, err := p.Wait(nil); err != nil || len(got) != 1 || got[0].Key != "live" {
		t.Errorf("got %+v, %v; want live alone", got, err)
	}
}

// An event that epoll already handed out must not reach whatever trigger has the
// descriptor's number by then.
func TestStaleEventNamesNoOne(t *testing.T) {
	p := newPoller(t)
	w := adopt(t, p, idle(t), "old")
	stale := unix.EpollEvent{Events: unix.EPOLLPRI}
	putID(&stale, w.id)
	if getID(stale) != w.id {
		t.Fatalf("id %d came back as %d", w.id, getID(stale))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	adopt(t, p, idle(t), "new")
	if got, err := p.translate(nil, []unix.EpollEvent{stale}); err != nil || len(got) != 0 {
		t.Errorf("got %+v, %v; want nothing", got, err)
	}
}

// idle returns a descriptor on which nothing happens.
func idle(t *testing.T) int {
	t.Helper()
	fd, _ := urgent(t)
	return fd
}

func TestManyTriggersInOneWait(t *testing.T) {
	p := newPoller(t)
	const n = batchSize + 10
	for range n {
		fd, vanish := vanishing(t)
		adopt(t, p, fd, "x")
		vanish()
	}
	var events []Event
	for seen := 0; seen < n; seen += len(events) {
		var err error
		if events, err = p.Wait(events); err != nil {
			t.Fatal(err)
		}
	}
	if len(p.armed) != 0 {
		t.Errorf("%d still armed", len(p.armed))
	}
}

func TestCloseUnblocksWait(t *testing.T) {
	p := newPoller(t)
	fd, _ := urgent(t)
	adopt(t, p, fd, "x")
	done := make(chan error)
	go func() {
		_, err := p.Wait(nil)
		done <- err
	}()
	for range 2 {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Errorf("Wait: %v, want ErrClosed", err)
	}
	if _, err := p.Wait(nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Wait after Close: %v, want ErrClosed", err)
	}
	other := idle(t)
	if _, err := p.adopt(other, Event{}); !errors.Is(err, ErrClosed) {
		t.Errorf("adopt after Close: %v, want ErrClosed", err)
	}
	if err := unix.Close(other); err != nil { // still ours
		t.Error(err)
	}
}

func TestAddFails(t *testing.T) {
	p := newPoller(t)
	dir := t.TempDir()
	regular := filepath.Join(dir, "memory.pressure")
	if err := os.WriteFile(regular, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		path    string
		trigger Trigger
		want    error
	}{
		"no such file":        {filepath.Join(dir, "gone"), stalled, fs.ErrNotExist},
		"not a pressure file": {regular, stalled, unix.EPERM}, // epoll does not take it
		"invalid trigger":     {regular, Trigger{Some, 2 * time.Second, time.Second}, nil},
	} {
		w, err := p.Add(tc.path, tc.trigger, "x")
		if err == nil || w != nil || tc.want != nil && !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, %v; want %v", name, w, err, tc.want)
		}
	}
	if len(p.armed) != 0 {
		t.Errorf("%d armed", len(p.armed))
	}
}
