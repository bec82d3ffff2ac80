package supervise

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/memsup/memsup/internal/cgroup"
	"github.com/memsup/memsup/internal/limit"
)

// relief is a cgroup whose memory.high was lifted for its service's last moments.
//
// A service that is held at MemoryHigh gets hardly any CPU time: it would not
// answer its requests in flight before the stop timeout, and be killed with them.
// So it is given what is left up to MemoryMax to end in. The kernel's file is
// written here, not systemd's setting: that would leave a drop-in behind, which
// outranks the administrator's next edit, while this is gone with the cgroup.
type relief struct {
	group *cgroup.Group // nil: there was nothing to lift
	high  limit.Value
	max   limit.Value
}

const (
	// breath is how long a service that was held at MemoryHigh may go on before it
	// is told to end: clients wait in its socket's queue, which it had no time to
	// look at, and which is thrown away when it closes the socket. The kernel lets a
	// thread that it holds sleep for two seconds on end (MEMCG_MAX_HIGH_DELAY_JIFFIES
	// in mm/memcontrol.c), also past the lifting; the rest is for answering.
	breath = 5 * time.Second
	// breathEnds cuts that short at this share of MemoryMax.
	breathEnds = 0.95
)

// relieve lifts memory.high of the cgroup at path.
func (a *actor) relieve(path string) (r relief, err error) {
	if path == "" {
		return relief{}, nil
	}
	g, err := cgroup.Open(a.s.host.CgroupRoot, path)
	if errors.Is(err, cgroup.ErrGone) {
		return relief{}, nil
	}
	if err != nil {
		return relief{}, fmt.Errorf("lift MemoryHigh: %w", err)
	}
	defer func() {
		if r.group == nil {
			err = errors.Join(err, g.Close())
		}
	}()
	set, err := g.ReadLimits()
	if err == nil && !set.High.IsAbsent() && !set.High.IsMax() {
		if err = g.SetLimits(limit.Set{High: limit.Max}); err == nil {
			return relief{group: g, high: set.High, max: set.Max}, nil
		}
	}
	if err != nil && !errors.Is(err, cgroup.ErrGone) {
		return relief{}, fmt.Errorf("lift MemoryHigh: %w", err)
	}
	return relief{}, nil
}

// breathe waits while the service makes good for the time that it was held.
func (r relief) breathe(ctx context.Context) {
	if r.group == nil {
		return
	}
	high, _ := r.high.Bytes()
	most, limited := r.max.Bytes()
	enough := time.NewTimer(breath)
	defer enough.Stop()
	look := time.NewTicker(breath / 50)
	defer look.Stop()
	for first := true; ; first = false {
		now, err := r.group.Current()
		if err != nil || first && float64(now) < breathEnds*float64(high) || limited && float64(now) > breathEnds*float64(most) {
			return // it is gone, it was not held, or it must not have more
		}
		select {
		case <-look.C:
		case <-enough.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// end lets go of the cgroup. With restore, memory.high is put back if the cgroup is
// still there: the restart did not happen.
func (r relief) end(restore bool) error {
	if r.group == nil {
		return nil
	}
	var err error
	if restore {
		err = r.group.SetLimits(limit.Set{High: r.high})
	}
	if errors.Is(err, cgroup.ErrGone) {
		err = nil
	}
	if err = errors.Join(err, r.group.Close()); err != nil {
		return fmt.Errorf("put MemoryHigh back: %w", err)
	}
	return nil
}

// unrelieve puts MemoryHigh back that a memsupd lifted which was killed before the
// restart began.
func (a *actor) unrelieve(ctx context.Context, of Unit) error {
	l, err := of.Look(ctx)
	if _, limited := l.Limits.High.Bytes(); err != nil || !limited || l.Unit.Cgroup == "" {
		return err
	}
	g, err := cgroup.Open(a.s.host.CgroupRoot, l.Unit.Cgroup)
	if err != nil {
		return fmt.Errorf("put MemoryHigh back: %w", err)
	}
	set, err := g.ReadLimits()
	if err == nil && !set.High.IsMax() {
		return g.Close()
	}
	return errors.Join(err, relief{group: g, high: l.Limits.High}.end(err == nil))
}
