package unit

import (
	"fmt"
	"strings"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

const (
	suffix  = ".service"
	nameMax = 255 // systemd.unit(5): "The total length ... must not exceed 255 characters"
	valid   = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@"

	managerPath = dbus.ObjectPath("/org/freedesktop/systemd1")
	unitPrefix  = "/org/freedesktop/systemd1/unit/"
)

// Name returns the full name of the service unit that s names: ".service" is
// added when it is missing. Whatever could not be the name of one service unit
// (a path, a glob, a template without its instance, another type of unit) is
// refused with an error that matches [ErrName].
func Name(s string) (string, error) {
	name := s
	if !strings.HasSuffix(name, suffix) {
		name += suffix
	}
	stem := strings.TrimSuffix(name, suffix)
	bad := func(why string) (string, error) { return "", fmt.Errorf("unit name %.64q: %s: %w", s, why, ErrName) }
	switch {
	case stem == "":
		return bad("empty")
	case len(name) > nameMax:
		return bad("too long")
	case strings.ContainsAny(stem, "*?["):
		return bad("a glob")
	case strings.Trim(stem, valid) != "" || strings.IndexFunc(stem, invalid) >= 0:
		return bad("forbidden character")
	case stem[0] == '@':
		return bad("no name before @")
	case stem[len(stem)-1] == '@':
		return bad("a template without an instance")
	}
	for _, other := range otherTypes {
		if strings.HasSuffix(stem, other) {
			return bad("a unit of type " + other[1:])
		}
	}
	return name, nil
}

// otherTypes are the unit types that memsup does not hold (systemd.unit(5)).
var otherTypes = []string{
	".automount", ".device", ".mount", ".path", ".scope", ".slice", ".socket", ".swap", ".target", ".timer",
}

func invalid(r rune) bool { return !strings.ContainsRune(valid, r) }

// unitPath is the object path of a unit of this name; an alias has the path of
// the unit that it stands for instead.
func unitPath(name string) dbus.ObjectPath {
	return dbus.ObjectPath(unitPrefix + systemd.PathBusEscape(name))
}
