package feature

import (
	"strconv"

	cgroups "github.com/containerd/cgroups/v3"
)

// Mode is how the host mounts its cgroups.
type Mode string

// The modes, in systemd's words.
const (
	Unified     Mode = "unified"     // version 2 alone: what memsup needs
	Hybrid      Mode = "hybrid"      // version 1 with an empty version 2 beside it
	Legacy      Mode = "legacy"      // version 1 alone
	Unavailable Mode = "unavailable" // nothing is mounted
)

// Report is what the host has.
type Report struct {
	Kernel  Kernel
	Mode    Mode
	Booted  bool // systemd runs as the init system (sd_booted(3))
	Systemd int  // its version; 0 until SetSystemd

	PSI     bool // memory.pressure and triggers on it
	Reclaim bool // memory.reclaim
	Peak    bool // memory.peak
	Kill    bool // cgroup.kill
	Swap    bool // some swap is on

	// Missing is what memsup does without, each with its fix, in a fixed order.
	Missing []*Error
}

// SetSystemd puts the version that systemd itself reports (the property Version
// of its manager on D-Bus) into the report. The error is a [*Error] when it is
// older than [MinSystemd].
func (r *Report) SetSystemd(version string) error {
	n, err := ParseSystemd(version)
	if err != nil {
		return err
	}
	r.Systemd = n
	if n < MinSystemd {
		return &Error{
			Feature: "systemd",
			Missing: "this is version " + strconv.Itoa(n),
			Need:    "systemd " + strconv.Itoa(MinSystemd),
			Fix:     "upgrade the distribution",
		}
	}
	return nil
}

func modeOf(m cgroups.CGMode) Mode {
	switch m {
	case cgroups.Unified:
		return Unified
	case cgroups.Hybrid:
		return Hybrid
	case cgroups.Legacy:
		return Legacy
	default:
		return Unavailable
	}
}

// modeError returns the error of a host that is not Unified, or nil.
func modeError(m Mode) *Error {
	e := &Error{
		Feature: "cgroup v2 memory controller",
		Fix:     "boot with systemd.unified_cgroup_hierarchy=1",
	}
	switch m {
	case Unified:
		return nil
	case Hybrid:
		e.Missing = "this host mounts cgroup v1 memory (hybrid)"
	case Legacy:
		e.Missing = "this host mounts cgroup v1 (legacy)"
	default:
		e.Missing = "no cgroup file system is mounted"
		e.Fix = "mount -t cgroup2 none /sys/fs/cgroup, or give the container a cgroup namespace of its own"
	}
	return e
}
