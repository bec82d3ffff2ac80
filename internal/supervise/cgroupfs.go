package supervise

import (
	"context"
	"errors"
	"time"

	"github.com/memsup/memsup/internal/service"
	"github.com/memsup/memsup/internal/unit"
)

// Cgroupfs binds services to processes that memsupd itself starts, each in a
// cgroup of its own. What the configuration says of one holds from its next start
// on; its limits hold at once, there being no drop-in that could say otherwise.
//
// One that fails by itself is started again by the driver, as systemd does with
// Restart=on-failure; one that ends with 0, or by a person's kill(1), is not.
type Cgroupfs struct{ Driver *unit.Cgroupfs }

// Bind follows a service, to be launched. One that runs already goes on.
func (d Cgroupfs) Bind(spec service.Spec) (Unit, error) {
	if spec.Launch == nil {
		return nil, errors.New("the cgroupfs driver cannot adopt: set mode: launch")
	}
	u := &cgroupfsUnit{driver: d.Driver, spec: spec}
	if err := d.Driver.Describe(u.launch()); err != nil {
		return nil, err
	}
	w, err := d.Driver.Watch(spec.Unit)
	if err != nil {
		return nil, err
	}
	u.relay = newRelay(w)
	return u, nil
}

type cgroupfsUnit struct {
	*relay
	driver *unit.Cgroupfs
	spec   service.Spec
}

func (u *cgroupfsUnit) launch() unit.Spec {
	l := u.spec.Launch
	return unit.Spec{
		Name: u.spec.Unit, Exec: l.Exec, Env: l.Environment, WorkingDir: l.Directory, User: l.User, Group: l.Group,
		Limits: u.spec.Limits, StopTimeout: l.StopTimeout, Restart: "on-failure", RestartSec: time.Second,
	}
}

// Look reads the service. Its limits are those of the configuration.
func (u *cgroupfsUnit) Look(ctx context.Context) (Look, error) {
	st, err := u.driver.State(ctx, u.spec.Unit)
	if err != nil {
		return Look{}, err
	}
	return Look{Unit: unitOf(st), Limits: u.spec.Limits, StopTimeout: st.StopTimeout}, nil
}

func (u *cgroupfsUnit) Start(ctx context.Context) error {
	_, err := u.driver.Launch(ctx, u.launch())
	if errors.Is(err, unit.ErrExists) {
		return nil // it runs, as was asked for
	}
	return err
}

// Restart sends SIGTERM, after the stop timeout SIGKILL, and launches anew.
func (u *cgroupfsUnit) Restart(ctx context.Context) error {
	_, err := u.driver.Restart(ctx, u.spec.Unit)
	if errors.Is(err, unit.ErrNotFound) { // it never ran
		return u.Start(ctx)
	}
	return err
}

func (u *cgroupfsUnit) ApplyLimits(ctx context.Context) error {
	return u.driver.SetLimits(ctx, u.spec.Unit, u.spec.Limits, false)
}
