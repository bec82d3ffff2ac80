package service

import (
	"errors"
	"time"

	"github.com/memsup/memsup/internal/limit"
)

// Status is everything there is to say about one service now.
type Status struct {
	Name   string `json:"name"`
	Unit   string `json:"unit"`
	Driver Driver `json:"driver"`
	Mode   string `json:"mode"` // "adopt" or "launch"

	Phase  Phase  `json:"phase"`
	Detail string `json:"detail,omitempty"` // why it is in that phase, with the fix where there is one
	// Unmeasured is why it runs and cannot be measured, or "". Detail says it too.
	Unmeasured string `json:"-"`
	MainPID    int    `json:"mainPid"`
	Cgroup     string `json:"cgroup"`
	// RunningSince is when this incarnation became active; zero, and left out,
	// when it is not.
	RunningSince time.Time `json:"runningSince,omitzero"`

	Sample    *Sample   `json:"sample"`             // the newest; null before the first and when not running
	SampledAt time.Time `json:"sampledAt,omitzero"` // of the newest sample of any life; left out before the first
	Limits    limit.Set `json:"limits"`             // as the kernel has them
	Marks     Marks     `json:"marks"`

	Alerts   []Alert       `json:"alerts"` // firing, the most severe first
	Restarts RestartStatus `json:"restarts"`
	Action   *Action       `json:"action"` // in progress, or null
	OOMKills uint64        `json:"oomKills"`
}

// Marks are the watermarks in bytes; absent when Max is unlimited or unknown.
type Marks struct {
	Warning  limit.Value `json:"warning"`
	Critical limit.Value `json:"critical"`
}

// RestartStatus is how much of the restart budget is left.
type RestartStatus struct {
	Used          int           `json:"used"` // within Window
	Max           int           `json:"max"`
	Window        time.Duration `json:"windowNs"`
	CooldownUntil *time.Time    `json:"cooldownUntil"` // null: none running
	GaveUp        bool          `json:"gaveUp"`
	Total         uint64        `json:"total"` // by memsupd, ever
	Last          *ActionRecord `json:"last"`
}

// Point is one sample of a service's recent past.
type Point struct {
	At         time.Time
	Current    uint64
	WorkingSet uint64
}

// Health is the state of the daemon.
type Health struct {
	// Status is "ok", or "degraded" when a subsystem is not.
	Status     string      `json:"status"`
	Version    string      `json:"version"`
	Since      time.Time   `json:"since"`
	Subsystems []Subsystem `json:"subsystems"`
	// Missing is what this host lacks that memsupd could use.
	Missing []string `json:"missing"`
}

// Subsystem is one part of the daemon and how it is.
type Subsystem struct {
	Name   string `json:"name"` // "engine", "services", "state", "systemd", "kernel log", "config"
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"`
}

// The reasons why an operator's request is refused.
var (
	ErrUnknown     = errors.New("no such service")
	ErrBusy        = errors.New("an action is in progress")
	ErrUnavailable = errors.New("the service cannot be acted on now")
)
