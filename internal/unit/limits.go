package unit

import (
	"context"
	"errors"
	"fmt"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"

	"github.com/memsup/memsup/internal/limit"
)

var errNoLimits = errors.New("no limit given")

// SetLimits has systemd change the limits of a unit that are not absent, at
// once in the kernel and with a drop-in that keeps them: until the next boot
// when runtime is true (/run/systemd/system.control/UNIT.d/50-Memory….conf),
// for good otherwise (/etc/systemd/system.control). Such a drop-in outranks
// one made later with systemctl edit; systemctl revert removes both.
func (s *Systemd) SetLimits(ctx context.Context, unit string, l limit.Set, runtime bool) error {
	properties := limitProperties(l)
	if len(properties) == 0 {
		return fmt.Errorf("set limits of %s: %w", unit, errNoLimits)
	}
	if err := s.setProperties(ctx, unit, runtime, properties); err != nil {
		return fmt.Errorf("set limits: %w", err)
	}
	return nil
}

func (s *Systemd) setProperties(ctx context.Context, unit string, runtime bool, p []systemd.Property) error {
	name, err := Name(unit)
	if err != nil {
		return err
	}
	if err := s.call(ctx, managerPath, managerFace+".SetUnitProperties", []any{name, runtime, p}); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// limitProperties are the limits that are not absent, as unit properties.
func limitProperties(l limit.Set) []systemd.Property {
	var out []systemd.Property
	for _, f := range []struct {
		name string
		v    limit.Value
	}{
		{"MemoryMax", l.Max},
		{"MemoryHigh", l.High},
		{"MemoryLow", l.Low},
		{"MemoryMin", l.Min},
		{"MemorySwapMax", l.SwapMax},
	} {
		if n, ok := f.v.Systemd(); ok {
			out = append(out, systemd.Property{Name: f.name, Value: dbus.MakeVariant(n)})
		}
	}
	return out
}
