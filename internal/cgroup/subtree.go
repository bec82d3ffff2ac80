package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/containerd/cgroups/v3/cgroup2"
	"golang.org/x/sys/unix"

	"github.com/memsup/memsup/internal/feature"
)

// Subtree is a part of the hierarchy that was delegated to memsup (Delegate= in
// a unit, or a container's own cgroup namespace). The cgroupfs driver creates its
// services' groups as children of it; nothing outside of it is ever written.
type Subtree struct {
	root string
	path string
}

// NewSubtree returns the subtree at path, as in /proc/PID/cgroup, below root.
func NewSubtree(root, path string) (Subtree, error) {
	if err := CheckPath(path); err != nil {
		return Subtree{}, err
	}
	return Subtree{root: root, path: path}, nil
}

// Path returns the path of the child name.
func (s Subtree) Path(name string) string { return strings.TrimSuffix(s.path, "/") + "/" + name }

// vacateRounds bounds how often Vacate looks again for processes that were
// forked while it moved the others.
const vacateRounds = 10

// Vacate moves every process of the subtree's own cgroup into the child leaf,
// creating it. It must be done once before Create: a cgroup that has processes of
// its own cannot hand controllers to its children (cgroup-v2.rst, "No Internal
// Process Constraint"). The caller itself is usually among them.
func (s Subtree) Vacate(leaf string) error {
	if err := s.vacate(leaf); err != nil {
		return fmt.Errorf("vacate cgroup %s: %w", s.path, err)
	}
	return nil
}

func (s Subtree) vacate(leaf string) error {
	if err := checkName(leaf); err != nil {
		return err
	}
	dir, err := openBeneath(s.root, s.path)
	if err != nil {
		return gone(err)
	}
	err = unix.Mkdirat(dir, leaf, 0o755)
	if errors.Is(err, unix.EEXIST) {
		err = nil
	}
	if err == nil {
		err = moveAll(dir, leaf)
	}
	return errors.Join(err, unix.Close(dir))
}

func moveAll(dir int, leaf string) error {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	for range vacateRounds {
		b, err := readAll(dir, "cgroup.procs", buf)
		if err != nil {
			return gone(err)
		}
		pids, err := parseProcs(nil, b)
		if err != nil || len(pids) == 0 {
			return err
		}
		for _, pid := range pids {
			err := writeAt(dir, leaf+"/cgroup.procs", strconv.Itoa(pid))
			if err != nil && !errors.Is(err, unix.ESRCH) { // ESRCH: it ended meanwhile
				return fmt.Errorf("move process %d to %s: %w", pid, leaf, err)
			}
		}
	}
	return fmt.Errorf("processes keep appearing in it after %d rounds", vacateRounds)
}

// Create makes the child name with the memory controller, and the pids controller
// where there is one, and opens it. A child of that name that already exists is
// opened as it is: a service that outlived the daemon.
func (s Subtree) Create(name string, opts ...Option) (*Group, error) {
	if err := s.create(name); err != nil {
		return nil, fmt.Errorf("create cgroup %s: %w", s.Path(name), err)
	}
	return Open(s.root, s.Path(name), opts...)
}

func (s Subtree) create(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	mount, err := s.mount()
	if err != nil {
		return err
	}
	// containerd enables controllers from its "mount point" down, so handing it
	// the subtree keeps it from writing to ancestors that are not ours. Empty
	// resources enable a controller and set nothing.
	m, err := cgroup2.NewManager(mount, "/"+name, &cgroup2.Resources{Memory: &cgroup2.Memory{}})
	if err == nil {
		// Apart from memory, since one controller that is not there fails them all.
		err = m.ToggleControllers([]string{"pids"}, cgroup2.Enable)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
	}
	switch {
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("the subtree's own cgroup has processes; vacate it first: %w", err)
	case errors.Is(err, fs.ErrNotExist):
		return &feature.Error{
			Feature: "memory controller of " + s.path,
			Missing: "it was not delegated to this cgroup",
			Fix:     "set Delegate=memory pids in the unit, or enable it in the parent's cgroup.subtree_control",
		}
	}
	return err
}

// Delete removes the child name, which must have no processes and no children
// with any. A child that does not exist is no error.
func (s Subtree) Delete(name string) error {
	if err := s.delete(name); err != nil {
		return fmt.Errorf("delete cgroup %s: %w", s.Path(name), err)
	}
	return nil
}

func (s Subtree) delete(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	mount, err := s.mount()
	if err != nil {
		return err
	}
	// containerd removes a tree: make very sure that it is one of cgroups.
	if is, err := isCgroup(s.root, s.Path(name)); !is || err != nil {
		return err
	}
	m, err := cgroup2.Load("/"+name, cgroup2.WithMountpoint(mount))
	if err != nil {
		return err
	}
	if err := m.Delete(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// mount returns the subtree's directory for containerd, which takes paths, after
// making sure that it is where it says.
func (s Subtree) mount() (string, error) {
	dir, err := openBeneath(s.root, s.path)
	if err != nil {
		return "", gone(err)
	}
	return filepath.Join(s.root, s.path), unix.Close(dir)
}

// isCgroup reports whether there is a cgroup at path. A directory that is none is
// an error.
func isCgroup(root, path string) (bool, error) {
	dir, err := openBeneath(root, path)
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	err = unix.Faccessat(dir, "cgroup.procs", unix.F_OK, 0)
	if err != nil {
		err = fmt.Errorf("not a cgroup: cgroup.procs: %w", err)
	}
	return err == nil, errors.Join(err, unix.Close(dir))
}

// checkName returns an error unless name can be one directory of the hierarchy.
func checkName(name string) error {
	if name == "" || name[0] == '.' || len(name) > unix.NAME_MAX || strings.ContainsAny(name, "/\n\x00") || strings.HasPrefix(name, "cgroup.") || strings.HasPrefix(name, "memory.") {
		return fmt.Errorf("cgroup name %.80q: want one path element", name)
	}
	return nil
}
