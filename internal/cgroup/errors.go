package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/memsup/memsup/internal/feature"
)

// Errors that callers tell apart. A kernel or a cgroup that lacks something is
// a [*feature.Error], which matches errors.ErrUnsupported.
var (
	// ErrGone says that the cgroup has been removed (or lost its memory
	// controller, which removes its memory files). It matches fs.ErrNotExist.
	// The handle is of no more use: close it and open the path again.
	ErrGone = fmt.Errorf("the cgroup is gone: %w", fs.ErrNotExist)
	// ErrClosed says that the handle or watcher has been closed.
	ErrClosed = os.ErrClosed
)

// gone turns the two errnos of a removed cgroup into ErrGone: a path is not
// found, and a descriptor kept open reads ENODEV (kernfs deactivated its node).
func gone(err error) error {
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) {
		return ErrGone
	}
	return err
}

// errAbsent says that a file is not there though the cgroup is.
var errAbsent = fmt.Errorf("this kernel or cgroup has no such file: %w", errors.ErrUnsupported)

// explain tells a cgroup that is gone from one that merely lacks the file.
func (g *Group) explain(err error) error {
	if errors.Is(err, unix.ENOENT) && g.alive() {
		return errAbsent
	}
	return gone(err)
}

// tooOld is the error of a file that only later kernels have.
func tooOld(file, kernel string) error {
	return &feature.Error{
		Feature: file,
		Missing: "this kernel does not have it",
		Need:    "kernel " + kernel,
		Fix:     "run a newer kernel",
	}
}

// noController is the error of a cgroup without memory files.
func noController(path string) error {
	e := &feature.Error{
		Feature: "memory controller of " + path,
		Missing: "the cgroup has no memory.current",
		Fix:     "enable it: MemoryAccounting=yes in the unit, or \"+memory\" in the parent's cgroup.subtree_control",
	}
	if path == "/" {
		e.Missing = "the root cgroup has no memory files"
		e.Fix = "name a cgroup below it"
	}
	return e
}
