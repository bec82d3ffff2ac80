package supervise

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/memsup/memsup/internal/cgroup"
	"github.com/memsup/memsup/internal/limit"
	"github.com/memsup/memsup/internal/psi"
	"github.com/memsup/memsup/internal/service"
)

// storm is the least time between two samples that events lead to: a service held
// at MemoryHigh raises a hundred a second. The first is taken at once.
const storm = 100 * time.Millisecond

// trigger wakes memsupd when tasks of a service lost 150 ms of a second to
// waiting for memory.
var trigger = psi.Trigger{Kind: psi.Some, Stall: 150 * time.Millisecond, Window: time.Second}

// gauge is an open cgroup and what watches it.
type gauge struct {
	life
	key     string
	group   *cgroup.Group
	stalls  *psi.Watch
	reading cgroup.Reading
}

// measure reads the cgroup of the newest life: at its schedule, and at once when
// the kernel says that something happened.
func (a *actor) measure(ctx context.Context) {
	schedule := time.NewTicker(a.spec.Interval)
	defer schedule.Stop()
	held := time.NewTimer(0) // an event that came too soon after the last one
	<-held.C
	defer held.Stop()
	var g *gauge
	defer func() { a.release(g) }()
	var now life
	var last time.Duration
	var waits kick
	for {
		select {
		case <-ctx.Done():
			return
		case l := <-a.lives:
			if l == now && g != nil {
				continue
			}
			a.release(g)
			now, g = l, a.open(ctx, l)
			a.sample(ctx, &g, kick{cause: service.Requested}, true)
		case <-schedule.C:
			if g == nil {
				g = a.open(ctx, now)
			}
			a.sample(ctx, &g, kick{cause: service.Scheduled}, true)
		case <-a.limit:
			a.sample(ctx, &g, kick{cause: service.Requested}, true)
		case k := <-a.kicks:
			at := a.s.host.Now().Boot
			if wait := last + storm - at; wait > 0 {
				if waits.cause == "" {
					waits = k
					held.Reset(wait)
				}
				continue
			}
			last = at
			a.sample(ctx, &g, k, false)
		case <-held.C:
			last = a.s.host.Now().Boot
			a.sample(ctx, &g, waits, false)
			waits = kick{}
		}
	}
}

// open opens the cgroup of a life. What fails is told, and the schedule tries
// again: a unit that starts may not have its files yet.
func (a *actor) open(ctx context.Context, l life) *gauge {
	if l.cgroup == "" {
		return nil
	}
	group, err := cgroup.Open(a.s.host.CgroupRoot, l.cgroup)
	if err != nil {
		if !errors.Is(err, cgroup.ErrGone) {
			a.tell(ctx, service.Unmeasured{Cause: err.Error()})
		}
		return nil
	}
	a.opened++
	g := &gauge{life: l, group: group, key: fmt.Sprintf("%s %p %d", a.spec.Name, a, a.opened)}
	if err := a.s.host.Memory.Add(group, g.key); err != nil && !errors.Is(err, cgroup.ErrGone) {
		a.note("trouble", "watch memory.events: %v", err)
	}
	if a.s.host.Pressure != nil {
		if g.stalls, err = group.ArmPressure(a.s.host.Pressure, trigger, g.key); err != nil {
			g.stalls = nil
			if !errors.Is(err, cgroup.ErrGone) {
				a.note("trouble", "arm a pressure trigger: %v", err)
			}
		}
	}
	return g
}

func (a *actor) release(g *gauge) {
	if g == nil {
		return
	}
	errs := []error{a.s.host.Memory.Remove(g.key)}
	if g.stalls != nil {
		errs = append(errs, g.stalls.Close())
	}
	if err := errors.Join(append(errs, g.group.Close())...); err != nil {
		a.note("trouble", "close its cgroup: %v", err)
	}
}

// sample reads the cgroup and tells the engine. A reading that failed is no
// reading: nothing is told in its place.
func (a *actor) sample(ctx context.Context, g **gauge, k kick, limits bool) {
	if *g == nil {
		return
	}
	r := &(*g).reading
	err := (*g).group.Read(r)
	set := limit.Set{}
	if err == nil && limits {
		set, err = (*g).group.ReadLimits()
	}
	if err != nil {
		if !errors.Is(err, cgroup.ErrGone) {
			a.tell(ctx, service.Unmeasured{Cause: err.Error()})
		}
		a.release(*g)
		*g = nil
		return
	}
	if k.cause == service.MemoryEvent {
		a.s.drainKernelLog(ctx) // a kill is told with its victim before its counter is
	}
	a.tell(ctx, service.Measured{Cause: k.cause, Seen: k.seen, Incarnation: (*g).incarnation, Sample: sampleOf(r, set)})
}

func sampleOf(r *cgroup.Reading, limits limit.Set) service.Sample {
	s := service.Sample{
		Current: r.Current, WorkingSet: r.WorkingSet(),
		Peak: amountOf(r.Peak), Swap: amountOf(r.Swap), Pids: amountOf(r.Pids),
		Anon: r.Stat.Anon, File: r.Stat.File, Kernel: amountOf(r.Stat.Kernel), Sock: r.Stat.Sock,
		Shmem: r.Stat.Shmem, InactiveFile: r.Stat.InactiveFile, SlabReclaimable: r.Stat.SlabReclaimable,
		RefaultFile: r.Stat.WorkingsetRefaultFile,
		Events:      service.Events{Low: r.Events.Low, High: r.Events.High, Max: r.Events.Max, OOM: r.Events.OOM, OOMKill: r.Events.OOMKill},
		CPU:         r.CPU.Usage,
		Limits:      limits,
	}
	if p := r.Pressure; p.Some.Known {
		s.Pressure = &service.Pressure{Some: stallOf(p.Some), Full: stallOf(p.Full)}
	}
	return s
}

func amountOf(a cgroup.Amount) service.Amount {
	if n, ok := a.Get(); ok {
		return service.Known(n)
	}
	return service.Amount{}
}

func stallOf(s psi.Stall) service.Stall {
	return service.Stall{Avg10: s.Avg10, Avg60: s.Avg60, Avg300: s.Avg300, Total: s.Total}
}
