// Package unit reaches the units that hold services: it reads and follows
// their state, runs jobs on them, sets their limits and launches new ones. It
// is the only user of systemd's D-Bus interface (org.freedesktop.systemd1(5)),
// and, for hosts without systemd, the driver that starts processes in a
// delegated cgroup subtree.
//
// # Two sockets
//
// [Systemd] talks over the system bus, which is the documented way. While the
// bus is away it talks to systemd's own socket, /run/systemd/private, the one
// that systemctl run by root uses: there the manager itself answers, so that
// supervision goes on while dbus-daemon is being restarted. It stays with the
// socket that it has until that breaks. Only root may use systemd's own; for
// others the calls fail at once with [ErrDisconnected] until the bus is back.
// The connection is made again with a growing, capped delay, and everything
// that is watched is then due to be read again.
//
// # Why not go-systemd's connection
//
// Its dbus.Conn holds one lock through a whole job call, asserts the types of
// signal bodies unchecked, does not say when the connection broke and cannot
// subscribe again. So this package takes go-systemd's encodings (escaping,
// properties) and keeps the connection itself, on godbus: a single connection,
// on which a reply and the signals around it arrive in the order in which
// systemd sent them.
//
// # Trust
//
// Anyone on the system bus may send a signal to anyone. Signals are heeded only
// from the unique name that owns org.freedesktop.systemd1, and every value is
// checked for its type before it is used.
package unit
