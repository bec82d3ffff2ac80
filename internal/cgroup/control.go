package cgroup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/memsup/memsup/internal/feature"
	"github.com/memsup/memsup/internal/limit"
	"github.com/memsup/memsup/internal/psi"
)

// reclaimStep is how much is asked of memory.reclaim in one write, which cannot
// be interrupted: the grain in which a context is obeyed.
const reclaimStep = 32 << 20

// Swappiness tells memory.reclaim what to prefer: 0 takes only file pages, 200
// only anonymous ones (those need swap). It needs kernel 6.11.
type Swappiness struct {
	n   int
	set bool
}

// KernelSwappiness leaves the choice to the kernel.
var KernelSwappiness = Swappiness{}

// SwappinessOf returns the swappiness n, 0 to 200.
func SwappinessOf(n int) Swappiness { return Swappiness{n: n, set: true} }

// Reclaim asks the kernel to take up to bytes from the cgroup (memory.reclaim,
// since 5.19) and returns by how much memory.current went down. Less than was
// asked is not an error: the kernel found no more (EAGAIN). The service allocates
// meanwhile, so the figure is what was gained, not what was reclaimed.
//
// It blocks while the kernel works, and looks at ctx every 32 MiB. An error comes
// with what was gained until then.
func (g *Group) Reclaim(ctx context.Context, bytes uint64, s Swappiness) (gained uint64, err error) {
	before, err := g.Current()
	if err != nil {
		return 0, err
	}
	err = g.use(func() error { return g.reclaim(ctx, bytes, s) })
	if err != nil {
		err = fmt.Errorf("reclaim from cgroup %s: %w", g.path, err)
	}
	after, aerr := g.Current()
	if aerr != nil {
		return 0, errors.Join(err, aerr)
	}
	return before - min(after, before), err
}

func (g *Group) reclaim(ctx context.Context, bytes uint64, s Swappiness) error {
	suffix := ""
	if s.set {
		suffix = " swappiness=" + strconv.Itoa(s.n)
	}
	for bytes > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		step := min(bytes, reclaimStep)
		switch err := g.explain(writeAt(g.dir, "memory.reclaim", strconv.FormatUint(step, 10)+suffix)); {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case errors.Is(err, errAbsent):
			return tooOld("memory.reclaim", "5.19")
		case errors.Is(err, unix.EINVAL) && s.set:
			return tooOld("memory.reclaim swappiness=", "6.11")
		case err != nil:
			return err
		}
		bytes -= step
	}
	return nil
}

// SetLimits writes the limits that are not absent. Only the cgroupfs driver may:
// a cgroup of systemd's is changed through systemd. (The exception is a memory.high
// that is lifted for the last moments of a cgroup; see package supervise.)
//
// A memory.max below what is in use makes the kernel reclaim at once and then
// kill; memory.high is therefore written first.
func (g *Group) SetLimits(set limit.Set) error {
	for file := memMin; file <= memMax; file++ {
		f, v := files[file], *limitOf(&set, file)
		if v.IsAbsent() {
			continue
		}
		text := "max"
		if n, ok := v.Bytes(); ok {
			text = strconv.FormatUint(n, 10)
		}
		err := g.write(f.name, text)
		if errors.Is(err, errAbsent) && f.optional {
			if v.IsMax() {
				continue // unlimited is what the kernel without swap accounting does
			}
			err = fmt.Errorf("limit cgroup %s: %w", g.path, &feature.Error{
				Feature: f.name,
				Missing: "the kernel does not account swap to cgroups",
				Fix:     "boot with swapaccount=1, or leave the swap limit out",
			})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// SetOOMGroup says whether an OOM kill takes the whole cgroup (memory.oom.group).
func (g *Group) SetOOMGroup(whole bool) error {
	s := "0"
	if whole {
		s = "1"
	}
	return g.write("memory.oom.group", s)
}

// AddProcess moves a process, with all its threads, into the cgroup. Memory that
// it has already been charged for stays where it is.
func (g *Group) AddProcess(pid int) error {
	return g.write("cgroup.procs", strconv.Itoa(pid))
}

// Freeze asks the kernel to stop all processes of the cgroup and returns without
// waiting; [Group.Await] waits for State.Frozen.
func (g *Group) Freeze() error { return g.write("cgroup.freeze", "1") }

// Thaw lets a frozen cgroup run on.
func (g *Group) Thaw() error { return g.write("cgroup.freeze", "0") }

// Kill sends SIGKILL to every process of the cgroup and its descendants at once,
// those being forked included (cgroup.kill, since kernel 5.14, so in every
// supported one: there is no fallback that signals one PID after the other, which
// could miss a fork and hit a reused PID). [Group.Await] waits for the end.
func (g *Group) Kill() error {
	err := g.write("cgroup.kill", "1")
	if errors.Is(err, errAbsent) {
		return fmt.Errorf("kill cgroup %s: %w", g.path, tooOld("cgroup.kill", "5.14"))
	}
	return err
}

func (g *Group) write(name, s string) error {
	err := g.use(func() error { return g.explain(writeAt(g.dir, name, s)) })
	if err != nil {
		return fmt.Errorf("write cgroup %s: %s: %w", g.path, name, err)
	}
	return nil
}

// Procs returns the PIDs of the cgroup's own processes, appended to pids[:0]. A
// PID of another PID namespace reads 0 and is left out.
func (g *Group) Procs(pids []int) ([]int, error) {
	pids = pids[:0]
	err := g.readFile("cgroup.procs", func(b []byte) (err error) { pids, err = parseProcs(pids, b); return err })
	return pids, err
}

// parseProcs parses cgroup.procs: one PID a line, in no order, and the same PID
// twice when it was moved away and back during the reading.
func parseProcs(pids []int, b []byte) ([]int, error) {
	for len(b) > 0 {
		line := b
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			line, b = b[:i], b[i+1:]
		} else {
			b = nil
		}
		n, ok := number(line)
		if !ok || n > 1<<31-1 {
			return nil, fmt.Errorf("line %.40q: want a PID", line)
		}
		if n != 0 {
			pids = append(pids, int(n))
		}
	}
	return pids, nil
}

// ArmPressure arms a trigger on the cgroup's memory.pressure. The error is as of
// [psi.Poller.Add], ErrGone, or psi.ErrDisabled when there is no such file.
func (g *Group) ArmPressure(p *psi.Poller, t psi.Trigger, key string) (w *psi.Watch, err error) {
	err = g.use(func() (err error) {
		w, err = p.AddAt(g.dir, files[pressure].name, t, key)
		if err != nil && errors.Is(g.explain(err), errAbsent) {
			return psi.ErrDisabled
		}
		return gone(err)
	})
	if err != nil {
		return nil, fmt.Errorf("cgroup %s: %w", g.path, err)
	}
	return w, nil
}
