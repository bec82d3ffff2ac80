package unit

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/godbus/dbus/v5"
)

// Errors to be matched with [errors.Is]. The text of each names the fix.
var (
	// ErrDisconnected: neither the bus nor systemd's own socket answered. The
	// call may or may not have had its effect.
	ErrDisconnected = errors.New("systemd cannot be reached over D-Bus: is dbus running (systemctl status dbus)?")
	// ErrClosed: the [Systemd], [Watch] or [Cgroupfs] was closed.
	ErrClosed = fmt.Errorf("unit: %w", os.ErrClosed)
	// ErrNotFound: systemd knows no such unit.
	ErrNotFound = errors.New("no such unit: check its name with systemctl list-units --all")
	// ErrMasked: the unit is masked, so that it cannot be started.
	ErrMasked = errors.New("unit is masked: systemctl unmask it first")
	// ErrExists: a unit of this name is loaded already, perhaps as failed.
	ErrExists = errors.New("unit exists already: stop it, or systemctl reset-failed it")
	// ErrDenied: systemd or the bus refused for want of privilege.
	ErrDenied = errors.New("permission denied by systemd: run as root or grant it with polkit")
	// ErrName: not a name that a service unit can have.
	ErrName = errors.New("not a service unit name: want letters, digits and :-_.\\@, at most 255 characters")
)

// byName is what D-Bus error names mean here. The first group is of
// org.freedesktop.systemd1 (src/libsystemd/sd-bus/bus-common-errors.h), the
// second of the bus itself (D-Bus specification, "Standard errors").
var byName = map[string]error{
	"org.freedesktop.systemd1.NoSuchUnit": ErrNotFound,
	"org.freedesktop.systemd1.UnitMasked": ErrMasked,
	"org.freedesktop.systemd1.UnitExists": ErrExists,

	"org.freedesktop.DBus.Error.AccessDenied":                     ErrDenied,
	"org.freedesktop.DBus.Error.InteractiveAuthorizationRequired": ErrDenied,
	"org.freedesktop.DBus.Error.Disconnected":                     ErrDisconnected,
	"org.freedesktop.DBus.Error.NoReply":                          ErrDisconnected,
	"org.freedesktop.DBus.Error.NameHasNoOwner":                   ErrDisconnected,
	"org.freedesktop.DBus.Error.ServiceUnknown":                   ErrDisconnected,
}

// callError classifies the error of a D-Bus call: systemd's refusals by their
// names, the end of ctx as it is, and anything else, which can only be the
// connection, as [ErrDisconnected].
func callError(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	var e dbus.Error
	if errors.As(err, &e) {
		if known, ok := byName[e.Name]; ok {
			return fmt.Errorf("%w (%s)", known, e.Error())
		}
		return fmt.Errorf("%s: %w", e.Name, err)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("%w (%w)", ErrDisconnected, err)
}

// isDBus reports whether err is the D-Bus error called name.
func isDBus(err error, name string) bool {
	var e dbus.Error
	return errors.As(err, &e) && e.Name == name
}
