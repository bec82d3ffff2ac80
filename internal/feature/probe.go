package feature

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	cgroups "github.com/containerd/cgroups/v3"
	"golang.org/x/sys/unix"
)

// Host is where to look.
type Host struct {
	Cgroup string // "/sys/fs/cgroup"
	Proc   string // "/proc"
	Run    string // "/run"
	// Subtree is the cgroup that the memory controller must have been delegated
	// to, below Cgroup: "/" for the whole host under systemd, memsup's own for
	// the cgroupfs driver.
	Subtree string
	// Mode tells how cgroups are mounted, from the magic numbers of the file
	// systems at /sys/fs/cgroup.
	Mode func() cgroups.CGMode
}

// ThisHost is the machine that we run on.
func ThisHost() Host {
	return Host{Cgroup: "/sys/fs/cgroup", Proc: "/proc", Run: "/run", Subtree: "/", Mode: cgroups.Mode}
}

// Probe looks at the host. The error is of what memsup cannot do without, one
// [*Error] a line (daemons exit with EX_CONFIG, 78), or of looking itself. The
// report holds what could be found out in either case.
func Probe(h Host) (Report, error) {
	var r Report
	release, err := os.ReadFile(filepath.Join(h.Proc, "sys/kernel/osrelease"))
	if err != nil {
		return r, fmt.Errorf("probe kernel version: %w", err)
	}
	if r.Kernel, err = ParseKernel(string(release)); err != nil {
		return r, fmt.Errorf("probe kernel version: %w", err)
	}
	if r.Booted, err = exists(h.Run, "systemd/system"); err != nil {
		return r, fmt.Errorf("probe systemd: %w", err)
	}
	r.Mode = modeOf(h.Mode())
	if err := required(h, r); err != nil {
		return r, err
	}
	for _, probe := range []func(Host, *Report) (*Error, error){probePSI, probeReclaim, probePeak, probeKill, probeSwap} {
		missing, err := probe(h, &r)
		if err != nil {
			return r, err
		}
		if missing != nil {
			r.Missing = append(r.Missing, missing)
		}
	}
	return r, nil
}

// required returns what is missing of kernel, mode and memory controller.
func required(h Host, r Report) error {
	var errs []error
	if r.Kernel.Less(MinKernel) {
		errs = append(errs, &Error{
			Feature: "kernel",
			Missing: "this is " + r.Kernel.String(),
			Need:    "kernel " + MinKernel.String(),
			Fix:     "upgrade the distribution",
		})
	}
	if e := modeError(r.Mode); e != nil {
		return errors.Join(append(errs, e)...)
	}
	if err := openat2Works(h.Cgroup); err != nil {
		errs = append(errs, err)
	}
	b, err := os.ReadFile(filepath.Join(h.Cgroup, h.Subtree, "cgroup.controllers"))
	switch {
	case err != nil:
		errs = append(errs, fmt.Errorf("probe memory controller: %w", err))
	case !slices.Contains(strings.Fields(string(b)), "memory"):
		e := &Error{
			Feature: "cgroup v2 memory controller",
			Missing: "the kernel does not offer it",
			Fix:     "boot with cgroup_enable=memory and without cgroup_disable=memory",
		}
		if h.Subtree != "/" {
			e.Missing = "it is not delegated to " + h.Subtree
			e.Fix = "set Delegate=memory pids in the unit, or enable it in the parent's cgroup.subtree_control"
		}
		errs = append(errs, e)
	}
	return errors.Join(errs...)
}

// openat2Works asks for the system call by which cgroups are opened without
// following links (openat2(2), Linux 5.6). Filters refuse it even where the kernel
// has it, because its flags are out of their sight.
func openat2Works(dir string) error {
	fd, err := unix.Openat2(unix.AT_FDCWD, dir, &unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC})
	switch {
	case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EPERM):
		return &Error{
			Feature: "openat2",
			Missing: "a system call filter refuses it",
			Fix:     "run memsupd without RestrictSUIDSGID=yes (as units/memsupd.service does), and in a container with a seccomp profile that allows openat2",
		}
	case err != nil:
		return fmt.Errorf("probe openat2: %w", err)
	}
	if err := unix.Close(fd); err != nil {
		return fmt.Errorf("probe openat2: %w", err)
	}
	return nil
}

// probePSI asks for the host's file, which opens and then fails to read where PSI
// is compiled in and off, and for a cgroup's, which can be off on its own.
func probePSI(h Host, r *Report) (*Error, error) {
	const feature, unseen = "PSI", "stalls are not seen, only memory events and samples"
	_, err := os.ReadFile(filepath.Join(h.Proc, "pressure/memory"))
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.EOPNOTSUPP):
		return &Error{Feature: feature, Missing: "the kernel keeps no pressure stall information: " + unseen, Fix: "boot with psi=1"}, nil
	case err != nil:
		return nil, fmt.Errorf("probe PSI: %w", err)
	}
	has, known, err := childHas(h, "memory.pressure")
	if err != nil {
		return nil, fmt.Errorf("probe PSI: %w", err)
	}
	if known && !has {
		return &Error{Feature: feature, Missing: "the kernel keeps none for cgroups: " + unseen, Fix: "boot without cgroup_disable=pressure"}, nil
	}
	r.PSI = true
	return nil, nil
}

func probeReclaim(h Host, r *Report) (*Error, error) {
	return probeFile(h, r, "memory.reclaim", Kernel{5, 19}, "the first cure, reclaim, is skipped", &r.Reclaim)
}

func probePeak(h Host, r *Report) (*Error, error) {
	return probeFile(h, r, "memory.peak", Kernel{5, 19}, "peaks between two samples are not seen", &r.Peak)
}

func probeKill(h Host, r *Report) (*Error, error) {
	return probeFile(h, r, "cgroup.kill", Kernel{5, 14}, "the cgroupfs driver cannot end what does not stop", &r.Kill)
}

// probeFile looks for a file of cgroups, and believes the kernel's version only
// where there is no cgroup yet to look at.
func probeFile(h Host, r *Report, name string, since Kernel, loss string, has *bool) (*Error, error) {
	found, known, err := childHas(h, name)
	if err != nil {
		return nil, fmt.Errorf("probe %s: %w", name, err)
	}
	*has = found || !known && !r.Kernel.Less(since)
	if *has {
		return nil, nil
	}
	return &Error{
		Feature: name,
		Missing: "this kernel (" + r.Kernel.String() + ") does not have it: " + loss,
		Need:    "kernel " + since.String(),
		Fix:     "run a newer kernel",
	}, nil
}

// mostChildren bounds the search for a cgroup with memory files.
const mostChildren = 256

// childHas looks for the file in a child of the root that has the memory
// controller; many files do not exist in the root itself. known is false when
// there is no such child.
func childHas(h Host, name string) (has, known bool, err error) {
	dir := filepath.Join(h.Cgroup, h.Subtree)
	f, err := os.Open(dir)
	if err != nil {
		return false, false, err
	}
	entries, err := f.ReadDir(-1)
	if err = errors.Join(err, f.Close()); err != nil {
		return false, false, err
	}
	looked := 0
	for _, e := range entries {
		if !e.IsDir() || looked == mostChildren {
			continue
		}
		looked++
		if known, err = exists(dir, filepath.Join(e.Name(), "memory.current")); err != nil {
			return false, false, err
		}
		if known {
			has, err = exists(dir, filepath.Join(e.Name(), name))
			return has, true, err
		}
	}
	return false, false, nil
}

// probeSwap reads /proc/swaps (proc(5)): a line of headings, then one a device.
func probeSwap(h Host, r *Report) (*Error, error) {
	f, err := os.Open(filepath.Join(h.Proc, "swaps"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // ENOENT: built without swap
		return nil, fmt.Errorf("probe swap: %w", err)
	}
	if err == nil {
		lines := bufio.NewScanner(f)
		lines.Scan()
		r.Swap = lines.Scan()
		if err := errors.Join(lines.Err(), f.Close()); err != nil {
			return nil, fmt.Errorf("probe swap: %w", err)
		}
	}
	if r.Swap {
		return nil, nil
	}
	return &Error{
		Feature: "swap",
		Missing: "none is on: anonymous memory cannot be reclaimed, and a service above MemoryHigh is throttled without end",
		Fix:     "enable some; zram is enough",
	}, nil
}

func exists(root, name string) (bool, error) {
	switch _, err := os.Stat(filepath.Join(root, name)); {
	case err == nil:
		return true, nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
		return false, nil
	default:
		return false, err
	}
}
