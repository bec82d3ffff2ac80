package unit

import (
	"strings"
	"time"

	"github.com/memsup/memsup/internal/limit"
)

// State is what the manager says about a unit at one instant. The words are
// systemd's own (org.freedesktop.systemd1(5)); a field that the manager does
// not know is zero.
type State struct {
	Name        string // the unit's primary name, "api.service"; differs from the name asked for by an alias
	LoadState   string // "loaded", "not-found", "masked", "bad-setting", "error"
	ActiveState string // "active", "reloading", "refreshing", "inactive", "failed", "activating", "deactivating", "maintenance"
	SubState    string // "running", "dead", "auto-restart", …
	Result      string // of the last run: "success", "exit-code", "signal", "timeout", "oom-kill", …

	Cgroup       string // "/system.slice/api.service" below the cgroup root, "" when there is none
	MainPID      int    // 0 when there is none
	ControlPID   int    // of ExecStartPre=, ExecReload= and the like, 0 when there is none
	InvocationID string // 32 hexadecimal digits, new at every start; "" before the first
	NRestarts    uint32 // by Restart=, since the last start by hand
	Job          uint32 // the queued or running job, 0 when there is none

	Limits limit.Set // as the manager believes; the kernel's files may differ

	ActiveEnter   time.Time // wall clock; zero when never
	InactiveEnter time.Time
	MainStart     time.Time // of the main process

	ExecMainCode   int32 // how the last main process ended: CLD_EXITED 1, CLD_KILLED 2, CLD_DUMPED 3; 0 while it runs
	ExecMainStatus int32 // its exit status or signal

	Type        string        // "simple", "exec", "notify", …
	Restart     string        // "no", "on-failure", …
	OOMPolicy   string        // "continue", "stop", "kill"
	Slice       string        // "system.slice"
	Delegate    bool          // Delegate= is on: systemd leaves what is below its cgroup alone
	StopTimeout time.Duration // TimeoutStopSec=; the longest Duration for "infinity"

	Transient        bool // launched, with no unit file of an administrator
	NeedDaemonReload bool // files on disk are newer than what the manager has read
	FragmentPath     string
	DropInPaths      []string
}

// Running reports whether the unit has processes that are meant to serve:
// active, or active and being reloaded or (since version 257) refreshed.
func (s State) Running() bool {
	return s.ActiveState == "active" || s.ActiveState == "reloading" || s.ActiveState == "refreshing"
}

// decode makes a State of the properties of a unit, whatever they are.
func decode(p props) State {
	return State{
		Name:        p.text("Id"),
		LoadState:   p.text("LoadState"),
		ActiveState: p.text("ActiveState"),
		SubState:    p.text("SubState"),
		Result:      p.text("Result"),

		Cgroup:       cgroupPath(p.text("ControlGroup")),
		MainPID:      p.pid("MainPID"),
		ControlPID:   p.pid("ControlPID"),
		InvocationID: p.id128("InvocationID"),
		NRestarts:    p.u32("NRestarts"),
		Job:          p.job("Job"),

		Limits: limit.Set{
			Max:     p.limit("MemoryMax"),
			High:    p.limit("MemoryHigh"),
			Low:     p.limit("MemoryLow"),
			Min:     p.limit("MemoryMin"),
			SwapMax: p.limit("MemorySwapMax"),
		},

		ActiveEnter:    p.wall("ActiveEnterTimestamp"),
		InactiveEnter:  p.wall("InactiveEnterTimestamp"),
		MainStart:      p.wall("ExecMainStartTimestamp"),
		ExecMainCode:   p.i32("ExecMainCode"),
		ExecMainStatus: p.i32("ExecMainStatus"),

		Type:        p.text("Type"),
		Restart:     p.text("Restart"),
		OOMPolicy:   p.text("OOMPolicy"),
		Slice:       p.text("Slice"),
		Delegate:    p.flag("Delegate"),
		StopTimeout: p.span("TimeoutStopUSec"),

		Transient:        p.flag("Transient"),
		NeedDaemonReload: p.flag("NeedDaemonReload"),
		FragmentPath:     p.text("FragmentPath"),
		DropInPaths:      p.texts("DropInPaths"),
	}
}

// cgroupPath returns path when it is one that can be appended to the cgroup
// root and stays below it: absolute, without ".." and NUL, and not the root
// itself. Anything else is none.
func cgroupPath(path string) string {
	if len(path) < 2 || path[0] != '/' || strings.ContainsRune(path, 0) {
		return ""
	}
	for _, part := range strings.Split(path[1:], "/") {
		if part == "" || part == "." || part == ".." {
			return ""
		}
	}
	return path
}
