package supervise

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/memsup/memsup/internal/cgroup"
	"github.com/memsup/memsup/internal/journal"
	"github.com/memsup/memsup/internal/kmsg"
	"github.com/memsup/memsup/internal/psi"
	"github.com/memsup/memsup/internal/service"
	"github.com/memsup/memsup/internal/state"
)

// Host is what the supervisor stands on. Whoever makes it closes its parts,
// after Run has returned.
type Host struct {
	CgroupRoot string // "/sys/fs/cgroup"
	Units      Units
	Memory     MemoryEvents // memory.events of all services
	Pressure   *psi.Poller  // nil: PSI is off
	Kernel     *kmsg.Reader // nil: /dev/kmsg cannot be read; victims go unnamed
	State      *state.Writer
	Journal    *journal.Journal
	Now        func() service.Instant
}

// MemoryEvents waits for the kernel's events; see [cgroup.Watcher].
type MemoryEvents interface {
	Add(g *cgroup.Group, key string) error
	Remove(key string) error
	Wait(notices []cgroup.Notice) ([]cgroup.Notice, error)
	Close() error
}

// Now reads both clocks.
func Now() service.Instant {
	return service.Instant{Wall: time.Now().Round(0), Boot: bootTime()}
}

// bootTime is CLOCK_BOOTTIME (clock_gettime(2)): it never goes back, and runs on
// while the host is suspended.
func bootTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic(fmt.Sprintf("CLOCK_BOOTTIME: %v", err)) // there since Linux 2.6.39
	}
	return time.Duration(ts.Nano())
}
