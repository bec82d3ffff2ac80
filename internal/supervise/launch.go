package supervise

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"time"

	"github.com/memsup/memsup/internal/service"
	"github.com/memsup/memsup/internal/unit"
)

const (
	// unloads bounds how long systemd may take to forget a transient unit that has
	// ended; until then its name is in use.
	unloads = 2 * time.Second
	// transientMax bounds what is read of a unit file of systemd's own making.
	transientMax = 1 << 20
)

func (u *systemdUnit) Start(ctx context.Context) error {
	l := u.spec.Launch
	if l == nil {
		_, err := u.manager.Start(ctx, u.spec.Unit)
		return err
	}
	_, err := u.manager.Launch(ctx, unit.Spec{
		Name: u.spec.Unit, Description: description(u.spec),
		Exec: l.Exec, Env: l.Environment, WorkingDir: l.Directory, User: l.User, Group: l.Group,
		Limits: u.spec.Limits, StopTimeout: l.StopTimeout,
		OOMPolicy: "continue", Restart: "on-failure", RestartSec: time.Second,
	})
	return err
}

// Restart restarts the unit. A launched one that has ended is unloaded with all
// that systemd knew of it, and is launched anew; so is one that runs by settings
// that the configuration has changed since, unless somebody's drop-in is for it.
func (u *systemdUnit) Restart(ctx context.Context) error {
	if u.spec.Launch != nil {
		st, err := u.manager.State(ctx, u.spec.Unit)
		if err != nil {
			return err
		}
		switch {
		case st.LoadState == "not-found":
			return u.Start(ctx)
		case st.ActiveState == "failed":
			return u.launchAnew(ctx)
		case st.Running() && len(st.DropInPaths) == 0 && outdated(st.FragmentPath, description(u.spec)):
			if _, err := u.manager.Stop(ctx, u.spec.Unit); err != nil {
				return err
			}
			return u.launchAnew(ctx)
		}
	}
	_, err := u.manager.Restart(ctx, u.spec.Unit)
	return err
}

// launchAnew launches what has ended, once systemd has forgotten its name.
func (u *systemdUnit) launchAnew(ctx context.Context) error {
	if err := u.manager.ResetFailed(ctx, u.spec.Unit); err != nil && !errors.Is(err, unit.ErrNotFound) {
		return err
	}
	tick := time.NewTicker(unloads / 20)
	defer tick.Stop()
	for range 20 {
		if err := u.Start(ctx); !errors.Is(err, unit.ErrExists) {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	return u.Start(ctx)
}

// description names a launched unit and the settings it was launched with.
func description(spec service.Spec) string {
	h := fnv.New32a()
	fmt.Fprintf(h, "%#v %v", *spec.Launch, spec.Limits)
	return fmt.Sprintf("memsup service %s (settings %08x)", spec.Name, h.Sum32())
}

// outdated reports whether the transient unit file at path, which systemd writes
// from what it was launched with, has another description. One that cannot be read
// says nothing.
func outdated(path, description string) bool {
	st, err := os.Stat(path)
	if err != nil || st.Size() > transientMax {
		return false
	}
	b, err := os.ReadFile(path)
	line := []byte("Description=" + description)
	return err == nil && !bytes.Contains(append(b, '\n'), append(line, '\n'))
}
