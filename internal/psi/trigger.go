package psi

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/memsup/memsup/internal/feature"
)

// Kind is what a trigger measures: [Some] or [Full].
type Kind string

// The kinds of a trigger.
const (
	Some Kind = "some" // at least one task waits
	Full Kind = "full" // all non-idle tasks wait at once
)

// The kernel's bounds of a trigger's window (psi.rst, "Monitoring for pressure
// thresholds").
const (
	MinWindow = 500 * time.Millisecond
	MaxWindow = 10 * time.Second
	// UnprivilegedStep is what a window must be a multiple of without
	// CAP_SYS_RESOURCE; such triggers are kept by the averaging worker, which
	// runs every two seconds, and need no kernel thread (since kernel 6.5 and
	// in the 6.1 series; earlier ones ask for the capability or do not care).
	UnprivilegedStep = 2 * time.Second
)

// Trigger is a threshold: the kernel reports an event, at most once a window,
// when tasks have stalled for Stall within any Window.
type Trigger struct {
	Kind   Kind
	Stall  time.Duration
	Window time.Duration
}

// String returns the trigger as the kernel's file takes it, in microseconds:
// "some 150000 1000000".
func (t Trigger) String() string {
	return string(t.Kind) + " " + strconv.FormatInt(t.Stall.Microseconds(), 10) + " " + strconv.FormatInt(t.Window.Microseconds(), 10)
}

// Validate returns an error when the kernel would refuse t, or would watch for
// something else than t says. With privileged false it also holds t against
// what a process without CAP_SYS_RESOURCE may ask for.
func (t Trigger) Validate(privileged bool) error {
	switch {
	case t.Kind != Some && t.Kind != Full:
		return fmt.Errorf("pressure trigger %s: kind %q: want %q or %q", t, t.Kind, Some, Full)
	case t.Window < MinWindow || t.Window > MaxWindow:
		return fmt.Errorf("pressure trigger %s: window %v: want %v to %v", t, t.Window, MinWindow, MaxWindow)
	case t.Stall < time.Microsecond || t.Stall > t.Window:
		return fmt.Errorf("pressure trigger %s: stall %v: want 1µs up to the window, %v", t, t.Stall, t.Window)
	case t.Stall%time.Microsecond != 0 || t.Window%time.Microsecond != 0:
		return fmt.Errorf("pressure trigger %s: stall %v, window %v: want whole microseconds", t, t.Stall, t.Window)
	case !privileged && t.Window%UnprivilegedStep != 0:
		return fmt.Errorf("pressure trigger %s: window %v: want a multiple of %v without CAP_SYS_RESOURCE", t, t.Window, UnprivilegedStep)
	}
	return nil
}

// Errors of arming a trigger, beside those of [Trigger.Validate].
var (
	// ErrDisabled says that the kernel keeps no pressure information. It
	// matches errors.ErrUnsupported.
	ErrDisabled error = &feature.Error{
		Feature: "PSI",
		Missing: "the kernel keeps no pressure stall information",
		Fix:     "boot with psi=1",
	}
	// ErrPrivilege says that the trigger needs CAP_SYS_RESOURCE.
	ErrPrivilege = fmt.Errorf("pressure trigger needs CAP_SYS_RESOURCE, or a window that is a multiple of %v: %w", UnprivilegedStep, unix.EPERM)
)

// arm opens the pressure file name, relative to the directory dirfd, and writes
// the trigger. The caller owns the descriptor.
//
// ENOENT is handed on as it is: only the caller knows whether the directory is
// alive, which makes it "PSI is off for this cgroup", or gone.
func arm(dirfd int, name string, t Trigger) (fd int, err error) {
	fd, err = openat(dirfd, name, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("pressure trigger %s: open %s: %w", t, name, t.translate(err))
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, unix.Close(fd))
			fd = -1
		}
	}()
	b := append([]byte(t.String()), 0) // the NUL: see the package comment
	n, err := write(fd, b)
	if err != nil {
		return fd, fmt.Errorf("pressure trigger %s: write %s: %w", t, name, t.translate(err))
	}
	if n != len(b) {
		return fd, fmt.Errorf("pressure trigger %s: write %s: %d of %d bytes taken", t, name, n, len(b))
	}
	return fd, nil
}

// translate gives the errnos that have one meaning here their names. All that
// EINVAL could mean besides, Validate has refused.
func (t Trigger) translate(err error) error {
	switch {
	case errors.Is(err, unix.EOPNOTSUPP):
		return ErrDisabled
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EINVAL) && t.Window%UnprivilegedStep != 0:
		return ErrPrivilege
	}
	return err
}

func openat(dirfd int, name string, flags int) (int, error) {
	for {
		fd, err := unix.Openat(dirfd, name, flags, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

func write(fd int, b []byte) (int, error) {
	for {
		n, err := unix.Write(fd, b)
		if err != unix.EINTR {
			return n, err
		}
	}
}
