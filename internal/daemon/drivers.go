package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/memsup/memsup/internal/cgroup"
	"github.com/memsup/memsup/internal/feature"
	"github.com/memsup/memsup/internal/service"
	"github.com/memsup/memsup/internal/supervise"
	"github.com/memsup/memsup/internal/unit"
)

const (
	// leaf is the child of the delegated cgroup that memsupd itself lives in: the
	// kernel wants none in a cgroup that hands controllers to its children. It is a
	// name that nobody else gives: its parent is taken for delegated.
	leaf = "memsupd.main"
	// cgroupfsDir holds the records of services without systemd: they outlive
	// memsupd, and not the boot.
	cgroupfsDir = "/run/memsupd/cgroupfs"
)

// drivers binds each service by the driver that its configuration names. A
// reload may open the cgroupfs driver; systemd runs a host or does not.
type drivers struct {
	manager *unit.Systemd // nil: systemd does not run this host

	mu    sync.RWMutex
	units map[service.Driver]supervise.Units
}

// Bind follows the unit of a service.
func (d *drivers) Bind(spec service.Spec) (supervise.Unit, error) {
	d.mu.RLock()
	units := d.units[spec.Driver]
	d.mu.RUnlock()
	if units == nil {
		return nil, fmt.Errorf("driver %s is not there: restart memsupd", spec.Driver)
	}
	return units.Bind(spec)
}

func (d *drivers) has(name service.Driver) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.units[name] != nil
}

func (d *drivers) add(name service.Driver, units supervise.Units) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.units[name] = units
}

// connectSystemd reaches systemd.
func (a *app) connectSystemd(ctx context.Context, report *feature.Report) error {
	manager, err := unit.Connect(ctx, unit.Options{})
	if err != nil {
		return fmt.Errorf("reach systemd: %w", err)
	}
	a.down.add("systemd", manager.Close)
	if err := report.SetSystemd(manager.Version()); err != nil {
		return &ConfigError{fmt.Errorf("this host will not do: %w", err)}
	}
	watch, err := manager.Watch()
	if err != nil {
		return fmt.Errorf("follow systemd: %w", err)
	}
	a.health.systemd = watch
	a.drivers.manager = manager
	a.drivers.add(service.Systemd, supervise.Systemd{Manager: manager})
	return nil
}

// openDrivers makes sure of every driver that the services need.
func (a *app) openDrivers(ctx context.Context, specs []service.Spec) error {
	for _, s := range specs {
		if a.drivers.has(s.Driver) {
			continue
		}
		var err error
		if s.Driver == service.Cgroupfs {
			err = a.openCgroupfs(ctx)
		} else {
			err = &feature.Error{
				Feature: "systemd", Missing: "it does not run this host (no /run/systemd/system)",
				Fix: "set driver: cgroupfs and mode: launch, so that memsupd runs the service itself",
			}
		}
		if err != nil {
			err = fmt.Errorf("service %s: driver %s: %w", s.Name, s.Driver, err)
		}
		if errors.Is(err, errors.ErrUnsupported) {
			return &ConfigError{err}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// openCgroupfs takes the cgroup that memsupd was started in, moves memsupd (and
// whoever started it there) into a leaf of it, and takes hold of the services that
// an earlier memsupd left in it.
func (a *app) openCgroupfs(ctx context.Context) error {
	host := feature.ThisHost()
	own, err := cgroup.FromProc(host.Proc, os.Getpid())
	if err != nil {
		return err
	}
	host.Subtree = subtreeOf(own)
	if a.drivers.manager != nil {
		if err := delegated(ctx, a.drivers.manager, host.Subtree); err != nil {
			return err
		}
	}
	if _, err := feature.Probe(host); err != nil {
		return err
	}
	tree, err := cgroup.NewSubtree(host.Cgroup, host.Subtree)
	if err != nil {
		return err
	}
	root, err := isHostRoot(filepath.Join(host.Cgroup, host.Subtree))
	if err != nil {
		return err
	}
	if !root { // the host's root may have processes beside children
		if err := tree.Vacate(leaf); err != nil {
			return notWritable(host.Subtree, err)
		}
	}
	driver, bad, err := unit.NewCgroupfs(ctx, unit.CgroupfsOptions{
		Tree: tree, Root: host.Cgroup, Proc: host.Proc, Dir: cgroupfsDir,
		Environ: os.Environ(), Stdout: os.Stdout, Stderr: os.Stderr,
		Trouble: func(err error) { a.log.Error("cgroupfs driver", zap.Error(err)) },
	})
	if err != nil {
		return err
	}
	a.down.add("cgroupfs driver", driver.Close)
	for _, err := range bad {
		a.log.Error("a service of an earlier memsupd is not held", zap.Error(err))
	}
	a.drivers.add(service.Cgroupfs, supervise.Cgroupfs{Driver: driver})
	a.log.Info("running services in cgroup " + host.Subtree)
	return nil
}

// subtreeOf is the delegated cgroup of a memsupd in the cgroup own: the parent,
// when an earlier memsupd moved whoever starts it into the leaf, or systemd
// started it there (DelegateSubgroup=).
func subtreeOf(own string) string {
	if dir, name := filepath.Split(own); name == leaf {
		return filepath.Clean(dir)
	}
	return own
}

// delegated returns a [*feature.Error] unless the cgroup is that of a unit that
// systemd keeps its hands off.
func delegated(ctx context.Context, manager *unit.Systemd, path string) error {
	e := &feature.Error{
		Feature: "a cgroup of memsupd's own", Missing: "systemd manages " + path,
		Fix: "run systemctl edit memsupd and put there, after [Service]: Delegate=memory pids, DelegateSubgroup=" + leaf +
			" (systemd 254), KillMode=process, RestrictNamespaces=no; contrib/cgroupfs.conf has it all",
	}
	name := filepath.Base(path)
	if !strings.HasSuffix(name, ".service") {
		return e
	}
	st, err := manager.State(ctx, name)
	if err != nil {
		return fmt.Errorf("is %s delegated: %w", path, err)
	}
	if !st.Delegate || st.Cgroup != path {
		return e
	}
	return nil
}

// isHostRoot reports whether the cgroup is the root of all: it alone has no type
// (cgroup-v2.rst, "cgroup.type").
func isHostRoot(dir string) (bool, error) {
	_, err := os.Stat(filepath.Join(dir, "cgroup.type"))
	if errors.Is(err, os.ErrNotExist) {
		return true, nil
	}
	return false, err
}

// notWritable gives the fix to a cgroup that cannot be written.
func notWritable(path string, err error) error {
	if !errors.Is(err, os.ErrPermission) && !errors.Is(err, unix.EROFS) {
		return err
	}
	return &feature.Error{
		Feature: "a cgroup of memsupd's own", Missing: err.Error(),
		Fix: "let it write to " + path + ": in a container, give it a cgroup namespace of its own with /sys/fs/cgroup mounted read-write (podman run --security-opt unmask=/sys/fs/cgroup, docker run --privileged --cgroupns private)",
	}
}
