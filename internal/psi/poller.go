package psi

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// ErrClosed is returned by a closed [Poller].
var ErrClosed = os.ErrClosed

// Event says that a trigger fired, or that its cgroup is gone.
type Event struct {
	Key     string // as given to Add
	Trigger Trigger
	// Gone says that the cgroup was removed (or its pressure accounting turned
	// off): the trigger has been dropped and its descriptor closed.
	Gone bool
}

// Poller waits for any number of triggers in one epoll_wait.
//
// Add, Remove and Close may be called at any time from any goroutine; Wait is
// meant for one goroutine, a second caller waits its turn.
type Poller struct {
	waiting sync.Mutex // held throughout Wait; Close takes it before closing epoll
	raw     []unix.EpollEvent

	epoll int // immutable until closed under both locks
	wake  int // eventfd, readable once the poller is closed

	mu     sync.Mutex
	armed  map[uint64]*Watch
	nextID uint64
	closed bool
}

// Watch is one armed trigger. Its descriptor belongs to the poller.
type Watch struct {
	poller *Poller
	id     uint64 // never used again, so a stale event cannot name another trigger
	fd     int    // -1 once dropped; guarded by poller.mu
	event  Event
}

const (
	wakeID    = 0
	batchSize = 64 // events taken in one epoll_wait; the rest comes with the next
)

// NewPoller returns a poller without triggers.
func NewPoller() (*Poller, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("pressure poller: create epoll: %w", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("pressure poller: create eventfd: %w", err), unix.Close(epoll))
	}
	p := &Poller{
		epoll:  epoll,
		wake:   wake,
		raw:    make([]unix.EpollEvent, batchSize),
		armed:  make(map[uint64]*Watch),
		nextID: wakeID + 1,
	}
	if err := p.register(wake, unix.EPOLLIN, wakeID); err != nil {
		return nil, errors.Join(fmt.Errorf("pressure poller: watch eventfd: %w", err), p.Close())
	}
	return p, nil
}

// Add arms a trigger on a pressure file such as
// "/sys/fs/cgroup/system.slice/x.service/memory.pressure" or
// "/proc/pressure/memory". Events carry key.
//
// The error is of [Trigger.Validate], [ErrDisabled], [ErrPrivilege],
// [ErrClosed] or an errno; ENOENT is "no such file": the cgroup is gone, or the
// kernel keeps no pressure for it.
func (p *Poller) Add(path string, t Trigger, key string) (*Watch, error) {
	return p.AddAt(unix.AT_FDCWD, path, t, key)
}

// AddAt is Add with a path relative to the directory dirfd, as in openat(2).
func (p *Poller) AddAt(dirfd int, name string, t Trigger, key string) (*Watch, error) {
	if err := t.Validate(true); err != nil { // the kernel decides on privilege
		return nil, err
	}
	fd, err := arm(dirfd, name, t)
	if err != nil {
		return nil, err
	}
	w, err := p.adopt(fd, Event{Key: key, Trigger: t})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("pressure trigger %s: %w", t, err), unix.Close(fd))
	}
	return w, nil
}

// adopt takes ownership of fd unless it fails.
func (p *Poller) adopt(fd int, e Event) (*Watch, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	w := &Watch{poller: p, id: p.nextID, fd: fd, event: e}
	if err := p.register(fd, unix.EPOLLPRI, w.id); err != nil {
		return nil, fmt.Errorf("watch: %w", err)
	}
	p.nextID++
	p.armed[w.id] = w
	return w, nil
}

// register adds fd to the epoll. The 64 bits that epoll hands back with each
// event hold an id rather than fd, whose number may since mean another file.
func (p *Poller) register(fd int, events uint32, id uint64) error {
	e := unix.EpollEvent{Events: events}
	putID(&e, id)
	return unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, fd, &e)
}

// The x/sys struct splits epoll_data_t into Fd and Pad.
func putID(e *unix.EpollEvent, id uint64) {
	var b [8]byte
	binary.NativeEndian.PutUint64(b[:], id)
	e.Fd = int32(binary.NativeEndian.Uint32(b[:4]))
	e.Pad = int32(binary.NativeEndian.Uint32(b[4:]))
}

func getID(e unix.EpollEvent) uint64 {
	var b [8]byte
	binary.NativeEndian.PutUint32(b[:4], uint32(e.Fd))
	binary.NativeEndian.PutUint32(b[4:], uint32(e.Pad))
	return binary.NativeEndian.Uint64(b[:])
}

// Close disarms the trigger. It may be called at any time and more than once;
// an event that was already taken from the kernel may still be delivered.
func (w *Watch) Close() error {
	w.poller.mu.Lock()
	defer w.poller.mu.Unlock()
	return w.drop()
}

// drop closes the descriptor, which also takes it out of the epoll: it is the
// only one of its open file description. The caller holds poller.mu.
func (w *Watch) drop() error {
	if w.fd < 0 {
		return nil
	}
	delete(w.poller.armed, w.id)
	fd := w.fd
	w.fd = -1
	if err := unix.Close(fd); err != nil {
		return fmt.Errorf("pressure trigger %s: close: %w", w.event.Trigger, err)
	}
	return nil
}

// Wait blocks until at least one trigger has fired or lost its cgroup, and
// returns the events appended to events[:0]. It returns [ErrClosed] once the
// poller is closed; any other error is of the epoll itself and lasting.
func (p *Poller) Wait(events []Event) ([]Event, error) {
	p.waiting.Lock()
	defer p.waiting.Unlock()
	events = events[:0]
	for len(events) == 0 {
		if p.isClosed() {
			return events, fmt.Errorf("pressure poller: wait: %w", ErrClosed)
		}
		n, err := unix.EpollWait(p.epoll, p.raw, -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return events, fmt.Errorf("pressure poller: wait: %w", err)
		}
		if events, err = p.translate(events, p.raw[:max(n, 0)]); err != nil {
			return events, err
		}
	}
	return events, nil
}

// translate appends what the kernel's events mean. A removed cgroup reports
// EPOLLERR (with EPOLLPRI, since kernel 5.17) until its descriptor is closed.
func (p *Poller) translate(events []Event, raw []unix.EpollEvent) ([]Event, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, r := range raw {
		w := p.armed[getID(r)]
		if w == nil {
			continue // the wake-up, or a trigger that was closed meanwhile
		}
		e := w.event
		if e.Gone = r.Events&(unix.EPOLLERR|unix.EPOLLHUP) != 0; e.Gone {
			errs = append(errs, w.drop())
		}
		events = append(events, e)
	}
	return events, errors.Join(errs...)
}

func (p *Poller) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// Close disarms all triggers, unblocks Wait and releases the descriptors. A
// second Close does nothing.
func (p *Poller) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	var errs []error
	for _, w := range p.armed {
		errs = append(errs, w.drop())
	}
	// The eventfd is never read, so it stays readable and no Wait can sleep
	// through the close, however the two race.
	if _, err := write(p.wake, binary.NativeEndian.AppendUint64(nil, 1)); err != nil {
		errs = append(errs, fmt.Errorf("pressure poller: wake: %w", err))
	}
	p.mu.Unlock()

	p.waiting.Lock() // Wait has returned
	defer p.waiting.Unlock()
	errs = append(errs, unix.Close(p.epoll), unix.Close(p.wake))
	return errors.Join(errs...)
}
