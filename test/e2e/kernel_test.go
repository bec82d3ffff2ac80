//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func itoa(n int) string { return strconv.Itoa(n) }

// watchHigh tells when the kernel first reports that the service crossed its
// MemoryHigh more often than before, on the boot clock: an observer of the test's
// own, beside memsupd.
func watchHigh(t testing.TB, n *node, before uint64) <-chan time.Duration {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("/sys/fs/cgroup", n.show("ControlGroup"), "memory.events")
	if _, err := unix.InotifyAddWatch(fd, file, unix.IN_MODIFY); err != nil {
		t.Fatal(err)
	}
	wake := make(chan time.Duration, 1)
	go func() {
		defer close(wake)
		defer unix.Close(fd)
		// Ahead of memsupd, whichever thread the kernel wakes first.
		runtime.LockOSThread()
		first := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}
		if err := unix.SchedSetAttr(0, &first, 0); err != nil {
			t.Errorf("real-time priority: %v", err)
			return
		}
		buf := make([]byte, 4096)
		for {
			if _, err := unix.Read(fd, buf); err != nil {
				t.Errorf("inotify: %v", err)
				return
			}
			var ts unix.Timespec
			if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
				t.Error(err)
				return
			}
			events, err := os.ReadFile(file)
			if err != nil {
				t.Error(err)
				return
			}
			if !strings.Contains(string(events), fmt.Sprintf("high %d\n", before)) {
				wake <- time.Duration(ts.Nano())
				return
			}
		}
	}()
	return wake
}
