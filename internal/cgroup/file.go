package cgroup

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/memsup/memsup/internal/limit"
)

// The files whose descriptors are kept: those of a sample, then the limits.
const (
	current = iota
	stat
	events
	swap
	peak
	pressure
	pids
	cpu
	// The limits are in the order in which they are safe to write: protections
	// first, and high before max, so that what is lowered throttles before it
	// kills.
	memMin
	low
	swapMax
	high
	memMax
	fileCount

	sampled = cpu + 1
)

// files says of each whether a supported kernel may lack it.
var files = [fileCount]struct {
	name     string
	optional bool
}{
	current:  {"memory.current", false},
	stat:     {"memory.stat", false},
	events:   {"memory.events", false},
	swap:     {"memory.swap.current", true}, // no swap accounting
	peak:     {"memory.peak", true},         // before 5.19
	pressure: {"memory.pressure", true},     // PSI is off
	pids:     {"pids.current", true},        // no pids controller
	cpu:      {"cpu.stat", false},
	memMin:   {"memory.min", false},
	low:      {"memory.low", false},
	swapMax:  {"memory.swap.max", true},
	high:     {"memory.high", false},
	memMax:   {"memory.max", false},
}

// limitOf returns the field of s that belongs to one of the limit files.
func limitOf(s *limit.Set, file int) *limit.Value {
	switch file {
	case memMin:
		return &s.Min
	case low:
		return &s.Low
	case swapMax:
		return &s.SwapMax
	case high:
		return &s.High
	default:
		return &s.Max
	}
}

// Files of the cgroup are read and written with bare system calls. An os.File
// would put the descriptor into Go's netpoller, which costs memory for each,
// polls pressure files (see package psi), and turns memory.reclaim's EAGAIN into
// waiting for a readiness that never comes.

// buffers holds the read buffers of all groups: as many as there are samplers at
// work, rather than one for each cgroup.
var buffers = sync.Pool{New: func() any { b := make([]byte, bufferSize); return &b }}

const (
	bufferSize = 8 << 10 // memory.stat has some 2 KiB on 6.12
	bufferMost = 1 << 20 // no kernel file here comes near: refuse to grow further
)

// pread reads the whole of fd, a file that the kernel writes at once, from its start
// into *buf, growing it at need, and returns the part that was read.
func pread(fd int, buf *[]byte) ([]byte, error) {
	for {
		n, err := unix.Pread(fd, *buf, 0)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return nil, err
		case n < len(*buf):
			return (*buf)[:n], nil
		case n >= bufferMost:
			return nil, fmt.Errorf("longer than %d bytes", bufferMost)
		}
		*buf = make([]byte, 2*len(*buf))
	}
}

// readAt reads the file name in the directory dir, one that the kernel writes at once.
func readAt(dir int, name string, buf *[]byte) (b []byte, err error) {
	fd, err := openat(dir, name, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	b, err = pread(fd, buf)
	if cerr := unix.Close(fd); err == nil {
		err = cerr
	}
	return b, err
}

// readAll reads the whole of the file name in the directory dir. The kernel hands out
// a list such as cgroup.procs a page at a time, however large the buffer.
func readAll(dir int, name string, buf *[]byte) (b []byte, err error) {
	fd, err := openat(dir, name, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	b, err = drain(fd, buf)
	if cerr := unix.Close(fd); err == nil {
		err = cerr
	}
	return b, err
}

// drain reads fd to its end into *buf, growing it at need, and returns what was read.
func drain(fd int, buf *[]byte) ([]byte, error) {
	used := 0
	for {
		n, err := unix.Read(fd, (*buf)[used:])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return nil, err
		case n == 0:
			return (*buf)[:used], nil
		}
		if used += n; used < len(*buf) {
			continue
		}
		if used >= bufferMost {
			return nil, fmt.Errorf("longer than %d bytes", bufferMost)
		}
		*buf = append(*buf, make([]byte, len(*buf))...)
	}
}

// writeAt writes s to the file name in the directory dir with one write(2). It
// never creates or truncates.
func writeAt(dir int, name, s string) error {
	fd, err := openat(dir, name, unix.O_WRONLY)
	if err != nil {
		return err
	}
	n, err := unix.Write(fd, []byte(s))
	for errors.Is(err, unix.EINTR) {
		n, err = unix.Write(fd, []byte(s))
	}
	if err == nil && n != len(s) {
		err = fmt.Errorf("%d of %d bytes taken", n, len(s))
	}
	if cerr := unix.Close(fd); err == nil {
		err = cerr
	}
	return err
}

func openat(dir int, name string, flags int) (int, error) {
	for {
		fd, err := unix.Openat(dir, name, flags|unix.O_CLOEXEC, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}
