package unit

import (
	"context"
	"errors"
	"fmt"

	"github.com/godbus/dbus/v5"
)

// State reads a unit. A unit that does not exist or is masked is no error: its
// LoadState says so.
//
// A unit that is not loaded is not loaded for the asking: the manager would
// announce that, and a reader who answers each announcement with a reading
// would never come to rest. Its unit file alone is looked at; LoadState
// "loaded" then says, as systemctl show does, that there is one.
func (s *Systemd) State(ctx context.Context, unit string) (State, error) {
	name, err := Name(unit)
	if err != nil {
		return State{}, fmt.Errorf("state: %w", err)
	}
	st, err := s.read(ctx, name)
	if err != nil {
		return State{}, fmt.Errorf("state of %s: %w", name, err)
	}
	return st, nil
}

func (s *Systemd) read(ctx context.Context, name string) (State, error) {
	var path dbus.ObjectPath
	switch err := s.call(ctx, managerPath, managerFace+".GetUnit", []any{name}, &path); {
	case errors.Is(err, ErrNotFound):
		return s.readFile(ctx, name)
	case err != nil:
		return State{}, err
	case !isUnitPath(path):
		return State{}, fmt.Errorf("GetUnit: %.80q is not the path of a unit", path)
	}
	s.mu.Lock()
	for w := range s.watches {
		w.alias(name, path)
	}
	s.mu.Unlock()

	var p props // of all interfaces of the unit: the name of none asks for all
	if err := s.call(ctx, path, propsFace+".GetAll", []any{""}, &p); err != nil {
		return State{}, err
	}
	st := decode(p)
	if st.ActiveState == "" || st.LoadState == "" {
		return State{}, fmt.Errorf("properties of %s: ActiveState or LoadState is missing", path)
	}
	return st, nil
}

// readFile is the state of a unit that is not loaded.
func (s *Systemd) readFile(ctx context.Context, name string) (State, error) {
	st := State{Name: name, LoadState: "loaded", ActiveState: "inactive", SubState: "dead"}
	var file string
	err := s.call(ctx, managerPath, managerFace+".GetUnitFileState", []any{name}, &file)
	switch {
	case isDBus(err, errNoFile) || errors.Is(err, ErrNotFound):
		st.LoadState = "not-found"
	case err != nil:
		return State{}, err
	case file == "masked" || file == "masked-runtime":
		st.LoadState = "masked"
	case file == "bad":
		st.LoadState = "bad-setting"
	}
	return st, nil
}

const errNoFile = "org.freedesktop.DBus.Error.FileNotFound"
