package unit

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// Options say where systemd is. The zero value is right on an ordinary host.
type Options struct {
	// Bus is the D-Bus address of the bus, by default the system bus's.
	Bus string
	// Private is the D-Bus address of the manager's own socket, for while the
	// bus is away. By default it is that of the system's manager for root and
	// none for others; [NoPrivate] is none.
	Private string

	DialTimeout time.Duration // of one attempt at one socket, 2 s by default
	CallTimeout time.Duration // of one call, 25 s by default: systemd does not answer while it reloads
	MinDelay    time.Duration // before the second attempt to reconnect, 100 ms by default; doubled each time
	MaxDelay    time.Duration // 5 s by default
}

// NoPrivate as [Options.Private] forbids the use of the manager's own socket.
const NoPrivate = "none"

func (o Options) withDefaults() Options {
	o.Bus = cmp.Or(o.Bus, os.Getenv("DBUS_SYSTEM_BUS_ADDRESS"), "unix:path=/run/dbus/system_bus_socket")
	if o.Private == "" && os.Geteuid() == 0 {
		o.Private = "unix:path=/run/systemd/private"
	}
	if o.Private == NoPrivate {
		o.Private = ""
	}
	o.DialTimeout = cmp.Or(o.DialTimeout, 2*time.Second)
	o.CallTimeout = cmp.Or(o.CallTimeout, 25*time.Second)
	o.MinDelay = cmp.Or(o.MinDelay, 100*time.Millisecond)
	o.MaxDelay = cmp.Or(o.MaxDelay, 5*time.Second)
	return o
}

// Systemd is a connection to the manager that mends itself. Its methods may be
// called from any goroutine; while systemd cannot be reached they fail at once
// with [ErrDisconnected].
type Systemd struct {
	opts    Options
	version string
	cancel  context.CancelFunc
	done    chan struct{} // closed when the connecting goroutine has ended

	hub                 // the rest is guarded by its mu
	link  *link         // nil while disconnected
	moved chan struct{} // closed and replaced whenever link changes
	jobs  jobs
}

// Connect reaches systemd, or says why not; a manager that goes away later is
// found again by itself. ctx bounds the connecting only.
func Connect(ctx context.Context, opts Options) (*Systemd, error) {
	s := &Systemd{
		opts:  opts.withDefaults(),
		done:  make(chan struct{}),
		moved: make(chan struct{}),
	}
	l, err := s.dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("systemd: %w", err)
	}
	s.link, s.connected = l, true
	if s.version, err = s.readVersion(ctx); err != nil {
		l.close()
		return nil, fmt.Errorf("systemd: version: %w", err)
	}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	go s.keep(life, l)
	return s, nil
}

func (s *Systemd) readVersion(ctx context.Context) (string, error) {
	var v dbus.Variant
	if err := s.call(ctx, managerPath, propsFace+".Get", []any{managerFace, "Version"}, &v); err != nil {
		return "", err
	}
	version, ok := v.Value().(string)
	if !ok {
		return "", fmt.Errorf("manager property Version: want a string, got %s", v.Signature())
	}
	return strings.TrimSpace(version), nil
}

// Version is systemd's, as it writes it: "257.9-1~deb13u1".
func (s *Systemd) Version() string { return s.version }

// Close ends the connection and all watches; it waits for the goroutine that
// it began. It may be called more than once.
func (s *Systemd) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.end()
		s.cancel()
	}
	s.mu.Unlock()
	<-s.done
	return nil
}

// keep waits for the link to break and replaces it, until life ends.
func (s *Systemd) keep(life context.Context, l *link) {
	defer close(s.done)
	for {
		select {
		case <-l.down():
		case <-life.Done():
		}
		l.close()
		s.relink(nil)
		if l = s.redial(life); l == nil {
			return
		}
		s.relink(l)
	}
}

// redial tries until it has a link; nil when life ends first.
func (s *Systemd) redial(life context.Context) *link {
	for delay := s.opts.MinDelay; ; delay = min(2*delay, s.opts.MaxDelay) {
		if life.Err() != nil {
			return nil
		}
		l, err := s.dial(life)
		if err == nil {
			return l
		}
		select {
		case <-time.After(delay):
		case <-life.Done():
		}
	}
}

// relink publishes a new link, or that there is none. All watched units are
// dirty after it: what was announced in between was missed.
func (s *Systemd) relink(l *link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.link, s.connected = l, l != nil
	close(s.moved)
	s.moved = make(chan struct{})
	for w := range s.watches {
		w.all()
	}
}

// handle takes an event from a link's reading goroutine.
func (s *Systemd) handle(e event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case e.job != 0:
		s.jobs.removed(e.job, e.result)
	case e.reloaded:
		for w := range s.watches {
			w.reloaded = true
			w.all()
		}
	default:
		s.touch(e.path)
	}
}

// call calls a method over the present link.
func (s *Systemd) call(ctx context.Context, path dbus.ObjectPath, method string, args []any, ret ...any) error {
	s.mu.Lock()
	l, closed := s.link, s.closed
	s.mu.Unlock()
	switch {
	case closed:
		return ErrClosed
	case l == nil:
		return ErrDisconnected
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.opts.CallTimeout, errNoAnswer)
	defer cancel()
	return l.call(ctx, path, method, args, ret...)
}

var errNoAnswer = fmt.Errorf("no answer in time: %w", ErrDisconnected)
