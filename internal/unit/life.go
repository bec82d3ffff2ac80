package unit

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/memsup/memsup/internal/cgroup"
)

// The codes of waitid(2) for a process that ended.
const (
	exited = 1 // CLD_EXITED
	killed = 2 // CLD_KILLED
	dumped = 3 // CLD_DUMPED
)

// defaultStopTimeout is systemd's DefaultTimeoutStopSec=.
const defaultStopTimeout = 90 * time.Second

// life is a service of the cgroupfs driver. Guarded by hub.mu, but for busy.
type life struct {
	name     string
	busy     chan struct{} // holds a token while something is done to the service
	record   record
	group    *cgroup.Group // nil when it never ran under this daemon
	proc     *process      // nil when it does not run
	job      string        // what is being done to it: "launch", "start", "stop", "restart", or ""
	stopping bool
	exit     exit
	result   string
	inactive time.Time // since when it does not run
	failures int       // in a row, by itself
	retry    *retry    // nil unless it waits to be started again
}

func newLife(name string, r record) *life {
	return &life{name: name, busy: make(chan struct{}, 1), record: r, result: "success"}
}

// ended notes that p is no more, and reports whether it was the main process.
func (l *life) ended(p *process) bool {
	if l.proc != p {
		return false
	}
	var oom uint64
	if l.group != nil {
		if e, err := l.group.ReadEvents(); err == nil { // a cgroup that is gone tells nothing
			oom = e.OOMKill
		}
	}
	l.exit = p.exit
	l.result = result(p.exit, l.stopping, l.stopSignal(), oom > 0)
	l.inactive = time.Now()
	l.proc = nil
	_ = p.close() // it is of no more use, and read-only
	return true
}

// result is systemd's word for how a run ended (org.freedesktop.systemd1(5),
// Result), and "unknown" for a process that was not ours to reap.
func result(e exit, stopping bool, sig unix.Signal, oom bool) string {
	switch {
	case oom && !stopping:
		return "oom-kill"
	case stopping && (!e.known || e.code == killed && (e.status == int32(sig) || e.status == int32(unix.SIGKILL))):
		return "success"
	case !e.known:
		return "unknown"
	case e.code == exited && e.status == 0, e.code == killed && clean(e.status):
		return "success"
	case e.code == exited:
		return "exit-code"
	case e.code == dumped:
		return "core-dump"
	default:
		return "signal"
	}
}

// clean reports whether to end by this signal is an end in order, as systemd sees
// it (systemd.service(5), SuccessExitStatus=): a person asked for it.
func clean(status int32) bool {
	switch unix.Signal(status) {
	case unix.SIGHUP, unix.SIGINT, unix.SIGTERM, unix.SIGPIPE:
		return true
	}
	return false
}

func (l *life) stopSignal() unix.Signal {
	if l.record.Spec.KillSignal != 0 {
		return unix.Signal(l.record.Spec.KillSignal)
	}
	return unix.SIGTERM
}

func (l *life) stopTimeout() time.Duration {
	if l.record.Spec.StopTimeout > 0 {
		return l.record.Spec.StopTimeout
	}
	return defaultStopTimeout
}

// state is in systemd's words; Cgroup is left to the caller.
func (l *life) state() State {
	st := State{
		Name: l.name, LoadState: "loaded", Result: l.result, InvocationID: l.record.Invocation,
		Limits: l.record.Spec.Limits, ActiveEnter: l.record.Started, MainStart: l.record.Started, InactiveEnter: l.inactive,
		ExecMainCode: l.exit.code, ExecMainStatus: l.exit.status,
		Type: "exec", Restart: orDefault(l.record.Spec.Restart, "no"), NRestarts: l.record.NRestarts,
		OOMPolicy: "continue", StopTimeout: l.stopTimeout(), Transient: true,
	}
	if l.proc != nil {
		st.MainPID = l.proc.pid
	}
	if l.job != "" {
		st.Job = 1 // there is one at a time, and no number to ask for it by
	}
	switch {
	case l.stopping:
		st.ActiveState, st.SubState = "deactivating", "stop-sigterm"
	case l.proc != nil:
		st.ActiveState, st.SubState = "active", "running"
	case l.job != "" && l.job != "stop":
		st.ActiveState, st.SubState = "activating", "start"
	case l.retry != nil:
		st.ActiveState, st.SubState = "activating", "auto-restart"
	case l.result == "success":
		st.ActiveState, st.SubState = "inactive", "dead"
	default:
		st.ActiveState, st.SubState = "failed", "failed"
	}
	return st
}

func (l *life) close() error {
	var errs []error
	l.cancelRetry()
	if l.proc != nil {
		errs = append(errs, l.proc.close())
		l.proc = nil
	}
	if l.group != nil {
		errs = append(errs, l.group.Close())
		l.group = nil
	}
	return errors.Join(errs...)
}

// newInvocation is 128 random bits, as systemd's invocation IDs are.
func newInvocation() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program rather
	return hex.EncodeToString(b[:])
}
