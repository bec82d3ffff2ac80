package service

import "time"

// Instant is a moment on both clocks. Decisions are made on Boot, which never
// goes back; Wall is for people.
type Instant struct {
	Wall time.Time     `json:"wall"`
	Boot time.Duration `json:"bootNs"` // CLOCK_BOOTTIME
}

// Observation is anything that the outside tells us about a service.
type Observation struct {
	At      Instant
	Service string
	Fact    Fact
}

// Fact is what was observed: one of [Measured], [UnitChanged], [OOMKilled],
// [Unmeasured], [ActionDone], [Asked] and [Tick].
type Fact interface{ fact() }

// Cause says why a sample was taken.
type Cause string

// The causes of a sample.
const (
	Scheduled     Cause = "schedule" // the sampling interval
	MemoryEvent   Cause = "memory-event"
	PressureEvent Cause = "pressure-event"
	Requested     Cause = "request" // a restart ended, limits changed, someone asked
)

// Measured is a sample.
type Measured struct {
	Cause  Cause  `json:"cause"`
	Sample Sample `json:"sample"`
	// Incarnation is the life of the unit that the sample is of; see [Unit].
	Incarnation string `json:"incarnation"`
	// Seen is when the kernel's event woke memsupd, on the boot clock; 0 for a
	// scheduled sample.
	Seen time.Duration `json:"seenNs,omitempty"`
}

// Unmeasured is a sample that could not be taken of a service that runs. It stands
// for no value: the last one stays the last.
type Unmeasured struct {
	Cause string `json:"cause"` // in words, with the fix where there is one
}

// Phase is where a service stands, in one word.
type Phase string

// The phases of a service.
const (
	Absent     Phase = "absent"     // the unit does not exist
	Masked     Phase = "masked"     // the unit is masked
	Stopped    Phase = "stopped"    // it exists and does not run
	Starting   Phase = "starting"   // it is being started, or has no cgroup yet
	Running    Phase = "running"    // it runs and is supervised
	Stopping   Phase = "stopping"   // it is being stopped
	Restarting Phase = "restarting" // memsupd is restarting it
	Failed     Phase = "failed"     // it ended in failure
)

// Unit is the state of a service's unit.
type Unit struct {
	Phase       Phase  `json:"phase"`
	ActiveState string `json:"activeState"` // systemd's words: "active"
	SubState    string `json:"subState"`    // "running"
	Result      string `json:"result"`      // "success", "oom-kill", …
	MainPID     int    `json:"mainPid"`
	Cgroup      string `json:"cgroup"` // below the cgroup root; "" when there is none
	// Incarnation names one life of the unit (systemd's invocation ID): a
	// restart gives a new one.
	Incarnation  string    `json:"incarnation"`
	AutoRestarts uint32    `json:"autoRestarts"` // systemd's NRestarts: by itself, since the last start by hand
	Since        time.Time `json:"since"`        // of ActiveState
	JobPending   bool      `json:"jobPending"`   // systemd has a job queued or running for it
}

// UnitChanged is the state of the unit after a change (or at the first look).
type UnitChanged struct {
	Unit Unit `json:"unit"`
}

// Victim is a process that the kernel's OOM killer ended.
type Victim struct {
	PID  int    `json:"pid"`
	Comm string `json:"comm"`
	UID  uint32 `json:"uid"`
}

// OOMKilled is the kernel's word that it killed a process of the service for
// reaching a memory limit (/dev/kmsg).
type OOMKilled struct {
	Victim Victim `json:"victim"`
}

// Asked is an operator's request.
type Asked struct {
	Kind ActionKind `json:"kind"`
	ID   string     `json:"id"` // of the action that comes of it
	By   string     `json:"by"` // "uid 0 (root) over the unix socket"
}

// ActionDone is the result of an action.
type ActionDone struct {
	ID      string        `json:"id"`
	Outcome Outcome       `json:"outcome"`
	Detail  string        `json:"detail,omitempty"` // in words: what went wrong, what was seen
	Took    time.Duration `json:"tookNs"`
	Unit    Unit          `json:"unit"` // afterwards
}

// Tick is time passing with nothing else to say; it lets waits run out.
type Tick struct{}

func (Measured) fact()    {}
func (Unmeasured) fact()  {}
func (UnitChanged) fact() {}
func (OOMKilled) fact()   {}
func (Asked) fact()       {}
func (ActionDone) fact()  {}
func (Tick) fact()        {}
