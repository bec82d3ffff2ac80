package service

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/memsup/memsup/internal/limit"
)

// Amount is a number that this kernel may not provide. The zero Amount is
// unknown, which is not 0.
type Amount struct {
	n     uint64
	known bool
}

// Known returns an Amount of n.
func Known(n uint64) Amount { return Amount{n: n, known: true} }

// Get returns the number and whether it is known.
func (a Amount) Get() (uint64, bool) { return a.n, a.known }

// MarshalJSON writes the number, or null when it is unknown.
func (a Amount) MarshalJSON() ([]byte, error) {
	if !a.known {
		return []byte("null"), nil
	}
	return strconv.AppendUint(nil, a.n, 10), nil
}

// UnmarshalJSON is the inverse of [Amount.MarshalJSON].
func (a *Amount) UnmarshalJSON(b []byte) error {
	*a = Amount{}
	if string(b) == "null" {
		return nil
	}
	a.known = true
	return json.Unmarshal(b, &a.n)
}

// Sample is one reading of a cgroup's memory files at one instant, in bytes.
// The source of each field is Documentation/admin-guide/cgroup-v2.rst.
type Sample struct {
	Current uint64 `json:"current"` // memory.current
	// WorkingSet is Current less the inactive file pages: what reclaim cannot
	// simply drop. Watermarks are held against it.
	WorkingSet uint64 `json:"workingSet"`
	Peak       Amount `json:"peak"` // memory.peak, since kernel 5.19
	Swap       Amount `json:"swap"` // memory.swap.current, absent without swap accounting

	// Memory by class, from memory.stat. File includes Shmem; Kernel includes
	// SlabReclaimable.
	Anon            uint64 `json:"anon"`
	File            uint64 `json:"file"`
	Kernel          Amount `json:"kernel"` // since kernel 5.18
	Sock            uint64 `json:"sock"`
	Shmem           uint64 `json:"shmem"`
	InactiveFile    uint64 `json:"inactiveFile"`
	SlabReclaimable uint64 `json:"slabReclaimable"`
	RefaultFile     uint64 `json:"refaultFile"` // workingset_refault_file, a count of pages

	Events   Events        `json:"events"`   // of this cgroup's life
	Pressure *Pressure     `json:"pressure"` // nil: PSI is off
	CPU      time.Duration `json:"cpuNs"`    // cpu.stat usage_usec
	Pids     Amount        `json:"pids"`     // pids.current
	Limits   limit.Set     `json:"limits"`   // as the kernel has them
}

// Events are the counters of memory.events. They begin at 0 with the cgroup,
// so they go back when a unit restarts.
type Events struct {
	Low     uint64 `json:"low"`
	High    uint64 `json:"high"`
	Max     uint64 `json:"max"`
	OOM     uint64 `json:"oom"`
	OOMKill uint64 `json:"oomKill"`
}

// Pressure is the content of memory.pressure (Documentation/accounting/psi.rst).
type Pressure struct {
	Some Stall `json:"some"`
	Full Stall `json:"full"`
}

// Stall is the share of time, in percent, in which some or all tasks waited for
// memory, over the last 10, 60 and 300 seconds, and the time lost in all.
type Stall struct {
	Avg10  float64       `json:"avg10"`
	Avg60  float64       `json:"avg60"`
	Avg300 float64       `json:"avg300"`
	Total  time.Duration `json:"totalNs"`
}
