package cgroup

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Group is a handle on one cgroup. It stays with the cgroup that it was opened
// on: when that is removed and another one made under the same path, the handle
// says [ErrGone] rather than reading the newcomer.
//
// Its methods may be called from any goroutine.
type Group struct {
	root string // "/sys/fs/cgroup"
	path string // "/memsup.slice/x.service"
	id   uint64

	mu   sync.RWMutex    // held for reading while a descriptor is in use
	dir  int             // O_PATH; -1 once closed
	kept [fileCount]int  // -1: absent, or opened for each read
	has  [fileCount]bool // the file was there when the handle was opened
	lean bool
}

// Option changes how a group is opened.
type Option func(*Group)

// Lean keeps only the directory's descriptor and opens each file for each read:
// nearly twice the work of a sample for a fourteenth of the descriptors. An open
// cgroup file costs the kernel some 5 KiB, so thirteen of them are nothing for five
// services and 300 MB for five thousand: be lean from a few hundred on.
func Lean() Option { return func(g *Group) { g.lean = true } }

// Open opens the cgroup at path, as in /proc/PID/cgroup ("/memsup.slice/x.service"),
// below root, where cgroup2 is mounted ("/sys/fs/cgroup"). A path that is not
// absolute and clean is refused, and the kernel is asked to resolve it without
// leaving root and without following links.
//
// The error is [ErrGone] when there is no such cgroup, and a [*feature.Error]
// when it has no memory controller.
func Open(root, path string, opts ...Option) (*Group, error) {
	g, err := open(root, path, opts)
	if err != nil {
		return nil, fmt.Errorf("open cgroup %s: %w", path, err)
	}
	return g, nil
}

func open(root, path string, opts []Option) (g *Group, err error) {
	dir, err := openBeneath(root, path)
	if err != nil {
		return nil, gone(err)
	}
	g = &Group{root: root, path: path, dir: dir}
	for i := range g.kept {
		g.kept[i] = -1
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.Close())
			g = nil
		}
	}()
	var st unix.Stat_t
	if err := unix.Fstat(dir, &st); err != nil {
		return g, fmt.Errorf("stat: %w", err)
	}
	g.id = st.Ino
	for _, o := range opts {
		o(g)
	}
	for i, f := range files {
		switch g.kept[i], err = openat(dir, f.name, unix.O_RDONLY); {
		case errors.Is(err, unix.ENOENT) && i == current:
			if g.alive() {
				return g, noController(path)
			}
			return g, ErrGone
		case errors.Is(err, unix.ENOENT) && f.optional:
			continue
		case err != nil:
			return g, fmt.Errorf("%s: %w", f.name, gone(err))
		}
		g.has[i] = true
		if g.lean {
			fd := g.kept[i]
			g.kept[i] = -1
			if err := unix.Close(fd); err != nil {
				return g, fmt.Errorf("close %s: %w", f.name, err)
			}
		}
	}
	return g, nil
}

// openBeneath opens the directory path under root for use in *at calls. The
// caller owns the descriptor.
func openBeneath(root, p string) (int, error) {
	if err := CheckPath(p); err != nil {
		return -1, err
	}
	base, err := openat(unix.AT_FDCWD, root, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return -1, fmt.Errorf("cgroup root %s: %w", root, err)
	}
	rel := "." + p
	if p == "/" {
		rel = "."
	}
	how := unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	}
	dir, err := unix.Openat2(base, rel, &how)
	// EAGAIN: raced with a rename somewhere; to try again is openat2(2)'s advice.
	for errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN) {
		dir, err = unix.Openat2(base, rel, &how)
	}
	if cerr := unix.Close(base); cerr != nil && err == nil {
		return -1, errors.Join(cerr, unix.Close(dir))
	}
	return dir, err
}

// CheckPath returns an error unless p is a cgroup path as /proc/PID/cgroup has
// it: absolute and clean, "/" or "/a.slice/b.service".
func CheckPath(p string) error {
	if !strings.HasPrefix(p, "/") || path.Clean(p) != p || strings.ContainsRune(p, 0) {
		return fmt.Errorf("cgroup path %.200q: want an absolute path without \".\", \"..\", \"//\" or a final \"/\"", p)
	}
	return nil
}

// Path returns the path that the group was opened by.
func (g *Group) Path() string { return g.path }

// ID returns the kernel's number of this cgroup, which no other cgroup has had or
// will have since boot: a unit's restart shows as another ID at the same path.
// (It is what name_to_handle_at(2) and bpf_get_current_cgroup_id give.)
func (g *Group) ID() uint64 { return g.id }

// Close releases the descriptors. A second Close does nothing.
func (g *Group) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.dir < 0 {
		return nil
	}
	errs := []error{unix.Close(g.dir)}
	g.dir = -1
	for i, fd := range g.kept {
		if fd >= 0 {
			errs = append(errs, unix.Close(fd))
			g.kept[i] = -1
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close cgroup %s: %w", g.path, err)
	}
	return nil
}

// Dir calls f with a descriptor (O_PATH) of the cgroup's directory, which stays
// open for the call: for clone3's CLONE_INTO_CGROUP, that is [syscall.SysProcAttr]
// with UseCgroupFD.
func (g *Group) Dir(f func(fd int) error) error {
	return g.use(func() error { return f(g.dir) })
}

// use runs f while the descriptors cannot be closed.
func (g *Group) use(f func() error) error {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.dir < 0 {
		return fmt.Errorf("cgroup %s: %w", g.path, ErrClosed)
	}
	return f()
}

// alive reports whether the directory still is a cgroup: the files of a removed
// one are gone at once, while its descriptor stays open.
func (g *Group) alive() bool {
	return unix.Faccessat(g.dir, "cgroup.procs", unix.F_OK, 0) == nil
}

// magic returns a path to the group's own file that no rename or replacement can
// divert, for calls that take no directory descriptor.
func (g *Group) magic(name string) string {
	return "/proc/self/fd/" + strconv.Itoa(g.dir) + "/" + name
}
