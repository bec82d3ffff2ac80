package unit

import (
	"sync/atomic"

	"github.com/godbus/dbus/v5"
)

// receiver takes the signals of one link. godbus calls it on the goroutine
// that reads the connection, in the order of the wire: it must not block and
// must not call.
type receiver struct {
	systemd *Systemd
	link    *link
	direct  bool                   // nobody but the manager is at the other end
	owner   atomic.Pointer[string] // the manager's unique name on the bus, once known
}

func (r *receiver) trust(owner string) { r.owner.Store(&owner) }

// trusted reports whether the manager sent sig: on the bus anyone can send a
// signal straight to us.
func (r *receiver) trusted(sig *dbus.Signal) bool {
	owner := r.owner.Load()
	return r.direct || owner != nil && sig.Sender == *owner
}

// DeliverSignal implements [dbus.SignalHandler].
func (r *receiver) DeliverSignal(face, member string, sig *dbus.Signal) {
	if face == daemonFace && member == "NameOwnerChanged" && !r.direct {
		// The bus vouches for its own name. Another manager (systemd executed
		// itself anew) is subscribed to on another link.
		if sig.Sender == daemonFace && text(sig.Body, 0) == busName {
			r.link.close()
		}
		return
	}
	if e, ok := decodeSignal(face, member, sig); ok && r.trusted(sig) {
		r.systemd.handle(e)
	}
}

// event is what a signal of the manager says to us. One field is set.
type event struct {
	path     dbus.ObjectPath // the unit that changed
	job      uint32          // the job that ended,
	result   string          // and how
	reloaded bool            // the manager has read its unit files again
}

// decodeSignal understands the signals of org.freedesktop.systemd1(5) that
// concern us; it is false for others and for what only pretends to be one.
//
//	UnitNew(s id, o unit), UnitRemoved(s id, o unit)
//	JobNew(u id, o job, s unit), JobRemoved(u id, o job, s unit, s result)
//	Reloading(b active)
//	PropertiesChanged(s interface, a{sv} changed, as invalidated), on the unit
func decodeSignal(face, member string, sig *dbus.Signal) (event, bool) {
	switch face {
	case propsFace:
		if member == "PropertiesChanged" && isUnitPath(sig.Path) {
			return event{path: sig.Path}, true
		}
	case managerFace:
		switch member {
		case "UnitNew", "UnitRemoved":
			path, ok := at[dbus.ObjectPath](sig.Body, 1)
			return event{path: path}, ok && isUnitPath(path)
		case "JobRemoved":
			id, okID := at[uint32](sig.Body, 0)
			result, okResult := at[string](sig.Body, 3)
			return event{job: id, result: result}, okID && okResult && id != 0
		case "Reloading":
			active, ok := at[bool](sig.Body, 0)
			return event{reloaded: true}, ok && !active
		}
	}
	return event{}, false
}

func isUnitPath(p dbus.ObjectPath) bool {
	return len(p) > len(unitPrefix) && p[:len(unitPrefix)] == unitPrefix
}

// at returns element i of a body when it is there and of type T.
func at[T any](body []any, i int) (T, bool) {
	var zero T
	if i >= len(body) {
		return zero, false
	}
	v, ok := body[i].(T)
	return v, ok
}

func text(body []any, i int) string {
	s, _ := at[string](body, i)
	return s
}
