package unit

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strconv"
	"time"

	"github.com/godbus/dbus/v5"
)

// Job is a job of systemd's that has ended.
type Job struct {
	ID     uint32
	Result string // "done", "canceled", "timeout", "failed", "dependency", "skipped", …
	// Inferred: the job ended while systemd could not be reached; Result is
	// "done" or "failed" by the state in which it left the unit.
	Inferred bool
}

// JobError is a job that ended otherwise than done.
type JobError struct {
	Unit string
	Verb string // "start", "stop", "restart"
	Job  Job
}

func (e *JobError) Error() string {
	why := map[string]string{
		"canceled":    "another job replaced it, or someone cancelled it",
		"timeout":     "it took longer than the unit's timeout",
		"failed":      "see systemctl status " + e.Unit,
		"dependency":  "a unit that it depends on failed; see systemctl list-dependencies " + e.Unit,
		"skipped":     "it does not apply to the unit's state",
		"assert":      "an Assert…= of the unit does not hold",
		"unsupported": "this unit cannot be started here",
		"collected":   "the unit was unloaded before the job ran",
		"once":        "the unit was started once and may not be again",
	}[e.Job.Result]
	if why == "" {
		why = "unknown to memsup"
	}
	return fmt.Sprintf("%s %s: job ended as %q: %s", e.Verb, e.Unit, e.Job.Result, why)
}

// jobs holds the ends of jobs until those who wait for them claim them. The end
// of a job can be announced before the reply that names the job was looked at:
// such ends are kept while a call is under way. Guarded by Systemd.mu.
type jobs struct {
	calls   int               // under way
	early   map[uint32]string // ends announced while there were calls under way
	waiting map[uint32][]chan string
}

// earlyMax bounds early; what does not fit is found by asking (see settle).
const earlyMax = 4096

func (j *jobs) removed(id uint32, result string) {
	for _, c := range j.waiting[id] {
		c <- result // has room for one, and gets one
	}
	delete(j.waiting, id)
	if j.calls > 0 && len(j.early) < earlyMax {
		if j.early == nil {
			j.early = map[uint32]string{}
		}
		j.early[id] = result
	}
}

// claim ends a call that returned a job and gives the channel for its end.
func (j *jobs) claim(id uint32) chan string {
	c := make(chan string, 1)
	if result, ok := j.early[id]; ok {
		c <- result
	} else {
		if j.waiting == nil {
			j.waiting = map[uint32][]chan string{}
		}
		j.waiting[id] = append(j.waiting[id], c)
	}
	j.called()
	return c
}

func (j *jobs) called() {
	if j.calls--; j.calls == 0 {
		j.early = nil
	}
}

// forget drops a claim that nobody waits for any more.
func (j *jobs) forget(id uint32, c chan string) {
	left := slices.DeleteFunc(j.waiting[id], func(other chan string) bool { return other == c })
	if len(left) == 0 {
		delete(j.waiting, id)
		return
	}
	j.waiting[id] = left
}

// Start starts a unit and waits for the job's end. Its error is a [*JobError]
// when the job ended otherwise than done. When ctx ends first, the job goes on.
func (s *Systemd) Start(ctx context.Context, unit string) (Job, error) {
	return s.unitJob(ctx, "start", "StartUnit", unit)
}

// Stop stops a unit; otherwise as [Systemd.Start].
func (s *Systemd) Stop(ctx context.Context, unit string) (Job, error) {
	return s.unitJob(ctx, "stop", "StopUnit", unit)
}

// Restart restarts a unit, or starts it when it does not run; otherwise as
// [Systemd.Start].
func (s *Systemd) Restart(ctx context.Context, unit string) (Job, error) {
	return s.unitJob(ctx, "restart", "RestartUnit", unit)
}

func (s *Systemd) unitJob(ctx context.Context, verb, method, unit string) (Job, error) {
	name, err := Name(unit)
	if err != nil {
		return Job{}, fmt.Errorf("%s: %w", verb, err)
	}
	return s.job(ctx, verb, name, method, []any{name, "replace"})
}

// job calls a method that returns a job and waits for the job's end.
func (s *Systemd) job(ctx context.Context, verb, name, method string, args []any) (Job, error) {
	s.mu.Lock()
	s.jobs.calls++
	moved := s.moved
	s.mu.Unlock()

	var at dbus.ObjectPath
	err := s.call(ctx, managerPath, managerFace+"."+method, args, &at)
	var id uint32
	if err == nil {
		id, err = jobID(at)
	}
	s.mu.Lock()
	if err != nil {
		s.jobs.called()
		s.mu.Unlock()
		return Job{}, fmt.Errorf("%s %s: %w", verb, name, err)
	}
	end := s.jobs.claim(id)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.jobs.forget(id, end)
		s.mu.Unlock()
	}()

	job, err := s.await(ctx, verb, name, id, end, moved)
	if err != nil {
		return job, fmt.Errorf("%s %s: job %d: %w", verb, name, id, err)
	}
	if job.Result != "done" {
		return job, &JobError{Unit: name, Verb: verb, Job: job}
	}
	return job, nil
}

// await waits for the end of a job, across the loss of the link: on every new
// link the manager is asked, until it has answered.
func (s *Systemd) await(ctx context.Context, verb, name string, id uint32, end <-chan string, moved <-chan struct{}) (Job, error) {
	var again <-chan time.Time
	for {
		select {
		case result := <-end:
			return Job{ID: id, Result: result}, nil
		case <-ctx.Done():
			return Job{ID: id}, context.Cause(ctx)
		case <-again:
		case <-moved:
		}
		s.mu.Lock()
		closed, linked := s.closed, s.link != nil
		moved = s.moved
		s.mu.Unlock()
		again = nil
		if closed {
			return Job{ID: id}, ErrClosed
		}
		if !linked {
			continue
		}
		job, over, err := s.settle(ctx, verb, name, id, end)
		if over {
			return job, nil
		}
		if err != nil {
			again = time.After(s.opts.MaxDelay)
		}
	}
}

const errNoJob = "org.freedesktop.systemd1.NoSuchJob"

// settle asks, on a new link, whether the job still is. When it ended unseen,
// the state in which it left the unit tells how.
func (s *Systemd) settle(ctx context.Context, verb, name string, id uint32, end <-chan string) (job Job, over bool, err error) {
	var at dbus.ObjectPath
	err = s.call(ctx, managerPath, managerFace+".GetJob", []any{id}, &at)
	if !isDBus(err, errNoJob) {
		return Job{}, false, err
	}
	select {
	case result := <-end: // announced on this link before the answer
		return Job{ID: id, Result: result}, true, nil
	default:
	}
	st, err := s.State(ctx, name)
	if err != nil {
		return Job{}, false, err
	}
	job = Job{ID: id, Result: "failed", Inferred: true}
	if achieved(verb, st) {
		job.Result = "done"
	}
	return job, true, nil
}

// achieved reports whether a unit is as a job would have left it.
func achieved(verb string, st State) bool {
	switch {
	case verb == "stop":
		return st.ActiveState == "inactive" || st.ActiveState == "failed"
	case st.Type == "oneshot": // it need not stay
		return st.Running() || st.ActiveState == "inactive" && st.Result == "success"
	default:
		return st.Running()
	}
}

// jobID reads the number at the end of a job's object path,
// "/org/freedesktop/systemd1/job/123".
func jobID(p dbus.ObjectPath) (uint32, error) {
	dir, base := path.Split(string(p))
	id, err := strconv.ParseUint(base, 10, 32)
	if err != nil || id == 0 || dir != "/org/freedesktop/systemd1/job/" {
		return 0, fmt.Errorf("reply %.80q: want the path of a job", p)
	}
	return uint32(id), nil
}
