package supervise

import (
	"context"

	"github.com/memsup/memsup/internal/service"
	"github.com/memsup/memsup/internal/unit"
)

// Systemd binds services to systemd units.
type Systemd struct{ Manager *unit.Systemd }

// Bind follows a unit, adopted or to be launched as a transient one.
func (d Systemd) Bind(spec service.Spec) (Unit, error) {
	w, err := d.Manager.Watch(spec.Unit)
	if err != nil {
		return nil, err
	}
	return &systemdUnit{relay: newRelay(w), manager: d.Manager, spec: spec}, nil
}

type systemdUnit struct {
	*relay
	manager *unit.Systemd
	spec    service.Spec
}

func (u *systemdUnit) Look(ctx context.Context) (Look, error) {
	st, err := u.manager.State(ctx, u.spec.Unit)
	if err != nil {
		return Look{}, err
	}
	return Look{Unit: unitOf(st), Limits: st.Limits, StopTimeout: st.StopTimeout}, nil
}

func (u *systemdUnit) ApplyLimits(ctx context.Context) error {
	return u.manager.Reapply(ctx, u.spec.Unit)
}

// unitOf puts systemd's words into memsup's.
func unitOf(s unit.State) service.Unit {
	return service.Unit{
		Phase: phaseOf(s), ActiveState: s.ActiveState, SubState: s.SubState, Result: s.Result,
		MainPID: s.MainPID, Cgroup: s.Cgroup, Incarnation: s.InvocationID, AutoRestarts: s.NRestarts,
		Since: s.ActiveEnter, JobPending: s.Job != 0,
	}
}

func phaseOf(s unit.State) service.Phase {
	switch {
	case s.LoadState == "masked":
		return service.Masked
	case s.LoadState == "not-found":
		return service.Absent
	case s.Running() && s.Cgroup != "":
		return service.Running
	case s.ActiveState == "deactivating":
		return service.Stopping
	case s.Running(), s.ActiveState == "activating", s.Job != 0,
		// Between a death and Restart='s next try, since systemd 254.
		s.SubState == "dead-before-auto-restart", s.SubState == "failed-before-auto-restart":
		return service.Starting
	case s.ActiveState == "failed":
		return service.Failed
	default:
		return service.Stopped
	}
}
