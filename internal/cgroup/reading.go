package cgroup

import (
	"time"

	"github.com/memsup/memsup/internal/psi"
)

// Reading is one reading of a cgroup's files, in bytes unless said otherwise.
// It is filled by [Group.Read] and meant to be used again for the next; it holds
// no memory of its own. After an error its content is meaningless.
type Reading struct {
	Current uint64 // memory.current
	Peak    Amount // memory.peak, since kernel 5.19
	Swap    Amount // memory.swap.current; absent without swap accounting
	Stat    Stat   // memory.stat
	Events  Events // memory.events

	Pressure psi.Pressure // memory.pressure; zero when PSI is off
	Pids     Amount       // pids.current; absent without the pids controller
	CPU      CPU          // cpu.stat
}

// WorkingSet returns Current less the inactive file pages, at least 0: what
// reclaim cannot simply drop. The two files are not read at one instant, and
// memory.stat lags behind, so the difference can come out negative.
func (r *Reading) WorkingSet() uint64 {
	if r.Stat.InactiveFile >= r.Current {
		return 0
	}
	return r.Current - r.Stat.InactiveFile
}

// Amount is a number that this kernel may not provide. The zero Amount is
// absent, which is not 0.
type Amount struct {
	n     uint64
	known bool
}

// Known returns an Amount of n.
func Known(n uint64) Amount { return Amount{n: n, known: true} }

// Get returns the number and whether it is known.
func (a Amount) Get() (uint64, bool) { return a.n, a.known }

// Stat is what a supervisor needs of memory.stat. The plain fields are in every
// supported kernel; a kernel without one is an error, not a 0. Counters grow for
// the life of the cgroup.
type Stat struct {
	Anon            uint64 // anonymous mappings: heaps and stacks
	File            uint64 // page cache, with Shmem
	Sock            uint64 // network buffers
	Shmem           uint64 // tmpfs and shared anonymous mappings: swapped, never dropped
	InactiveAnon    uint64
	ActiveAnon      uint64
	InactiveFile    uint64
	ActiveFile      uint64
	Unevictable     uint64 // mlock and ramfs
	SlabReclaimable uint64 // dentries and inodes

	WorkingsetRefaultAnon uint64 // pages brought back soon after their eviction
	WorkingsetRefaultFile uint64

	Kernel            Amount // all kernel memory, since 5.18
	KernelStack       Amount
	Pagetables        Amount
	SlabUnreclaimable Amount
	FileDirty         Amount
	FileWriteback     Amount
	AnonTHP           Amount // anonymous huge pages
	Zswap             Amount // compressed in memory, since 5.19
	Zswapped          Amount // what was compressed, at its full size
	Pgscan            Amount // pages that reclaim looked at
	Pgsteal           Amount // pages that reclaim took
	Pgmajfault        Amount // faults that waited for a device
}

// CPU is cpu.stat, which every cgroup has. The throttling counters are absent
// without the cpu controller.
type CPU struct {
	Known               bool
	Usage, User, System time.Duration
	Periods             Amount // enforcement periods that have passed
	Throttled           Amount // of these, how many hit cpu.max
	ThrottledTime       time.Duration
}

// Events are the counters of memory.events, of the cgroup and its descendants.
// They begin at 0 with the cgroup, and a restarted unit is a new cgroup: see
// [Events.Since].
type Events struct {
	Low          uint64 // reclaimed though below memory.low
	High         uint64 // throttled and reclaimed for being above memory.high
	Max          uint64 // about to go over memory.max
	OOM          uint64 // at the limit with nothing left to reclaim; not yet a death
	OOMKill      uint64 // processes killed by any OOM killer: watch this for deaths
	OOMGroupKill Amount // whole-group kills, since 5.17
}

// Since returns what happened after prev was read. A counter that went back
// means a new cgroup, all of whose events are new; reset reports that. A new
// cgroup that has already overtaken the old one cannot be told from here: who
// knows of the change (another [Group.ID]) passes the zero Events as prev.
func (e Events) Since(prev Events) (delta Events, reset bool) {
	group, known := e.OOMGroupKill.Get()
	prevGroup, _ := prev.OOMGroupKill.Get()
	if e.Low < prev.Low || e.High < prev.High || e.Max < prev.Max ||
		e.OOM < prev.OOM || e.OOMKill < prev.OOMKill || known && group < prevGroup {
		return e, true
	}
	delta = Events{
		Low:     e.Low - prev.Low,
		High:    e.High - prev.High,
		Max:     e.Max - prev.Max,
		OOM:     e.OOM - prev.OOM,
		OOMKill: e.OOMKill - prev.OOMKill,
	}
	if known {
		delta.OOMGroupKill = Known(group - prevGroup)
	}
	return delta, false
}

// State is cgroup.events.
type State struct {
	Populated bool // the cgroup or a descendant has live processes
	Frozen    bool // all of it has come to a stop
}
