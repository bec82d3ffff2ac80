package unit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/godbus/dbus/v5"
)

const (
	busName     = "org.freedesktop.systemd1"
	managerFace = "org.freedesktop.systemd1.Manager"
	unitFace    = "org.freedesktop.systemd1.Unit"
	propsFace   = "org.freedesktop.DBus.Properties"
	daemonFace  = "org.freedesktop.DBus"
)

// link is one connection to the manager, over the bus or direct. It is not
// mended: a broken link is replaced.
type link struct {
	conn  *dbus.Conn
	close context.CancelFunc
}

// down is closed when the link is broken or closed.
func (l *link) down() <-chan struct{} { return l.conn.Context().Done() }

// call calls a method of the object at path and stores the reply in ret.
func (l *link) call(ctx context.Context, path dbus.ObjectPath, method string, args []any, ret ...any) error {
	c := l.conn.Object(busName, path).CallWithContext(ctx, method, 0, args...)
	if c.Err != nil {
		return callError(ctx, c.Err)
	}
	if err := dbus.Store(c.Body, ret...); err != nil {
		return fmt.Errorf("reply of another type than documented: %w", err)
	}
	return nil
}

// dial connects to the bus, and if that fails, where allowed, to systemd's own
// socket; it leaves a link that receives the manager's signals. ctx bounds the
// dialling only.
func (s *Systemd) dial(ctx context.Context) (*link, error) {
	l, err := s.dialOne(ctx, s.opts.Bus, true)
	if err == nil || s.opts.Private == "" {
		return l, err
	}
	l, direct := s.dialOne(ctx, s.opts.Private, false)
	if direct != nil {
		return nil, errors.Join(err, direct)
	}
	return l, nil
}

func (s *Systemd) dialOne(ctx context.Context, address string, bus bool) (_ *link, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.opts.DialTimeout, errNoAnswer)
	defer cancel()
	// The context given to godbus is that of the connection's whole life; the
	// one for dialling cuts it short until the link is ready.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			end()
			err = fmt.Errorf("connect to %s: %w", address, callError(ctx, err))
		}
	}()
	stop := context.AfterFunc(ctx, end)

	l := &link{close: end}
	signals := &receiver{systemd: s, link: l, direct: !bus}
	if l.conn, err = dbus.Dial(address, dbus.WithContext(life), dbus.WithSignalHandler(signals)); err != nil {
		return nil, err
	}
	// The number of the user, not the name: looking that up could block.
	if err = l.conn.Auth([]dbus.Auth{dbus.AuthExternal(strconv.Itoa(os.Geteuid()))}); err != nil {
		return nil, err
	}
	if bus {
		if err = l.join(ctx, signals); err != nil {
			return nil, err
		}
	}
	// Whoever is connected directly gets all signals without asking (bus_foreach_bus in
	// src/core/dbus.c), and a manager that has just lost its bus may take longer to
	// answer than a dial may.
	if bus {
		err = l.call(ctx, managerPath, managerFace+".Subscribe", nil)
		if err != nil && !isDBus(err, errSubscribed) {
			return nil, err
		}
	}
	if !stop() {
		return nil, context.Cause(ctx)
	}
	return l, nil
}

const errSubscribed = "org.freedesktop.systemd1.AlreadySubscribed"

// matches are the signals wanted from the bus: the manager's, the property
// changes of all units (one rule, as the bus allows a connection only so many),
// and the manager's name changing hands.
var matches = []string{
	"type='signal',sender='" + busName + "',interface='" + managerFace + "'",
	"type='signal',sender='" + busName + "',interface='" + propsFace + "',member='PropertiesChanged',path_namespace='/org/freedesktop/systemd1/unit'",
	"type='signal',sender='" + daemonFace + "',interface='" + daemonFace + "',member='NameOwnerChanged',arg0='" + busName + "'",
}

// join greets the bus, finds out who the manager is and asks for its signals.
func (l *link) join(ctx context.Context, signals *receiver) error {
	bus := l.conn.BusObject()
	if err := bus.CallWithContext(ctx, daemonFace+".Hello", 0).Err; err != nil {
		return err
	}
	for _, rule := range matches {
		if err := bus.CallWithContext(ctx, daemonFace+".AddMatch", 0, rule).Err; err != nil {
			return err
		}
	}
	// After the rules: a new owner from here on is announced.
	var owner string
	if err := bus.CallWithContext(ctx, daemonFace+".GetNameOwner", 0, busName).Store(&owner); err != nil {
		return err
	}
	signals.trust(owner)
	return nil
}
