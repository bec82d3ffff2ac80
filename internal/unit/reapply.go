package unit

import (
	"context"
	"fmt"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

// Reapply makes systemd write the limits that it believes in for a running
// unit to the kernel, after a daemon-reload that left them there: it changes
// no setting, leaves no file and may be called at any time. Verify its effect
// in the kernel's files.
//
// Why it is needed: on a daemon-reload systemd marks the cgroup of every unit
// as invalid and queues it to be written again. From version 257 on the queue
// is worked off before the units have their state back; they look inactive and
// are dropped, still marked (systemd/systemd pull request 38190: "after unit
// deserialization cgroups are no longer properly re-realized"). A drop-in is
// then what systemctl show says, and not what the kernel does.
//
// Why this works: SetUnitProperties ends with the realization of the unit's
// cgroup, which writes all of a cgroup that is marked (unit_realize_cgroup in
// src/core/cgroup.c). Its property here is Markers with nothing to set and
// nothing to clear (src/core/dbus-unit.c, since version 248), which unlike a
// limit is not kept as a drop-in in /run/systemd/system.control; that would
// outrank the administrator's next edit.
//
// What it cannot do: a cgroup that systemd has not marked, because someone
// wrote to its files behind systemd's back, stays as it is until the next
// daemon-reload.
func (s *Systemd) Reapply(ctx context.Context, unit string) error {
	none := []systemd.Property{{Name: "Markers", Value: dbus.MakeVariant([]string{})}}
	if err := s.setProperties(ctx, unit, true, none); err != nil {
		return fmt.Errorf("reapply limits: %w", err)
	}
	return nil
}
