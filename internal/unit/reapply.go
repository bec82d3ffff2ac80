package unit

import (
	"context"
	"fmt"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

// Reapply makes systemd write the limits that it believes in for a running
// unit to the kernel, without changing any of them.
func (s *Systemd) Reapply(ctx context.Context, unit string) error {
	none := []systemd.Property{{Name: "Markers", Value: dbus.MakeVariant([]string{})}}
	if err := s.setProperties(ctx, unit, true, none); err != nil {
		return fmt.Errorf("reapply limits: %w", err)
	}
	return nil
}
