package service

import (
	"fmt"
	"time"

	"github.com/memsup/memsup/internal/limit"
)

// Driver says who owns a service's cgroup; the same two words as in container
// runtimes.
type Driver string

// The drivers.
const (
	Systemd  Driver = "systemd"  // the cgroup belongs to a systemd unit
	Cgroupfs Driver = "cgroupfs" // memsupd creates the cgroup in a subtree delegated to it
)

// Spec is what the user says about one service.
type Spec struct {
	Name   string // as in URLs and commands: "api-server"
	Driver Driver
	Unit   string  // "walmart-api-server.service"; with cgroupfs the name of its cgroup, "memsup-NAME.service"
	Launch *Launch // nil: adopt the unit that systemd runs

	// Limits are given to a launched service. An adopted unit has its own, and
	// none here, so that a drop-in is never overridden.
	Limits limit.Set

	Watermarks Watermarks
	Interval   time.Duration // between samples, 1 s to 60 s
	Restart    RestartPolicy
}

// Launch describes the process of a service that memsupd starts itself.
type Launch struct {
	Exec        []string // program and arguments; no shell
	Environment []string // KEY=value
	Directory   string
	User        string // "" is root
	Group       string
	StopTimeout time.Duration // from SIGTERM to SIGKILL
}

// Watermarks are fractions of Max that the working set is held against.
type Watermarks struct {
	Warning    float64
	Critical   float64
	Hysteresis float64 // an alert resolves below its mark less this fraction of Max
}

// RestartPolicy bounds what memsupd may do to a service.
type RestartPolicy struct {
	OnCritical  bool          // restart at the critical mark and on a livelock
	OnOOM       bool          // restart when the kernel killed part of it and the rest runs on
	MaxRestarts int           // within Window; then give up and say so. 0: never restart
	Window      time.Duration // in which restarts are counted
	Cooldown    time.Duration // least time between two restarts
}

// Defaults of the source document: 78 % and 85 %, three restarts, five minutes.
var (
	DefaultWatermarks = Watermarks{Warning: 0.78, Critical: 0.85, Hysteresis: 0.03}
	DefaultRestart    = RestartPolicy{OnCritical: true, OnOOM: true, MaxRestarts: 3, Window: time.Hour, Cooldown: 5 * time.Minute}
)

// DefaultInterval is the time between two samples.
const DefaultInterval = 10 * time.Second

// MaxNameLength bounds a service's name, which becomes a label, a path element
// and part of a unit's name.
const MaxNameLength = 64

// CheckName returns an error unless name is lower-case letters, digits and
// dashes, begins with a letter or digit and is at most MaxNameLength long.
func CheckName(name string) error {
	ok := len(name) > 0 && len(name) <= MaxNameLength && name[0] != '-'
	for i := 0; ok && i < len(name); i++ {
		c := name[i]
		ok = c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-'
	}
	if !ok {
		return fmt.Errorf("service name %.70q: want 1 to %d of a-z, 0-9 and '-', not beginning with '-'", name, MaxNameLength)
	}
	return nil
}
