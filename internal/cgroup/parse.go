package cgroup

import (
	"bytes"
	"errors"
	"fmt"
	"time"
)

// parseUint parses a single-value file such as memory.current: decimal digits
// and a newline.
func parseUint(b []byte) (uint64, error) {
	if n := len(b); n > 0 && b[n-1] == '\n' {
		b = b[:n-1]
	}
	n, ok := number(b)
	if !ok {
		return 0, fmt.Errorf("%.40q: want a number", b)
	}
	return n, nil
}

// parseEvents parses memory.events:
//
//	low 0
//	high 15
//	max 0
//	oom 0
//	oom_kill 0
//	oom_group_kill 0
//	sock_throttled 0
//
// oom_group_kill exists since 5.17. Lines that later kernels add are skipped.
func parseEvents(b []byte) (Events, error) {
	var e Events
	var seen uint
	for len(b) > 0 {
		key, n, rest, err := keyValue(b)
		if err != nil {
			return Events{}, err
		}
		b = rest
		switch string(key) {
		case "low":
			e.Low, seen = n, seen|1
		case "high":
			e.High, seen = n, seen|2
		case "max":
			e.Max, seen = n, seen|4
		case "oom":
			e.OOM, seen = n, seen|8
		case "oom_kill":
			e.OOMKill, seen = n, seen|16
		case "oom_group_kill":
			e.OOMGroupKill = Known(n)
		}
	}
	if seen != 31 {
		return Events{}, errors.New("want lines low, high, max, oom and oom_kill")
	}
	return e, nil
}

// parseState parses cgroup.events:
//
//	populated 1
//	frozen 0
func parseState(b []byte) (State, error) {
	var s State
	var seen uint
	for len(b) > 0 {
		key, n, rest, err := keyValue(b)
		if err != nil {
			return State{}, err
		}
		b = rest
		switch string(key) {
		case "populated":
			s.Populated, seen = n != 0, seen|1
		case "frozen":
			s.Frozen, seen = n != 0, seen|2
		}
	}
	if seen != 3 {
		return State{}, errors.New("want lines populated and frozen")
	}
	return s, nil
}

// parseCPU parses cpu.stat, times in microseconds:
//
//	usage_usec 2184341
//	user_usec 1312010
//	system_usec 872331
//	nr_periods 0
//	nr_throttled 0
//	throttled_usec 0
//
// The last three come with the cpu controller. Other lines (core_sched, nice,
// bursts) are skipped.
func parseCPU(b []byte) (CPU, error) {
	c := CPU{Known: true}
	var seen uint
	for len(b) > 0 {
		key, n, rest, err := keyValue(b)
		if err != nil {
			return CPU{}, err
		}
		b = rest
		switch string(key) {
		case "usage_usec":
			c.Usage, seen = micros(n), seen|1
		case "user_usec":
			c.User, seen = micros(n), seen|2
		case "system_usec":
			c.System, seen = micros(n), seen|4
		case "nr_periods":
			c.Periods = Known(n)
		case "nr_throttled":
			c.Throttled = Known(n)
		case "throttled_usec":
			c.ThrottledTime = micros(n)
		}
	}
	if seen != 7 {
		return CPU{}, errors.New("want lines usage_usec, user_usec and system_usec")
	}
	return c, nil
}

// micros saturates where a Duration ends, after 292 years of CPU time.
func micros(n uint64) time.Duration {
	const most = uint64(1<<63-1) / uint64(time.Microsecond)
	return time.Duration(min(n, most)) * time.Microsecond
}

// keyValue parses one line "key number\n" at the start of b.
func keyValue(b []byte) (key []byte, n uint64, rest []byte, err error) {
	line := b
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		line, rest = b[:i], b[i+1:]
	}
	if i := bytes.IndexByte(line, ' '); i > 0 {
		if n, ok := number(line[i+1:]); ok {
			return line[:i], n, rest, nil
		}
	}
	return nil, 0, nil, fmt.Errorf("line %.80q: want a key and a number", line)
}

// number parses b, which must be all decimal digits that fit a uint64.
func number(b []byte) (n uint64, ok bool) {
	// 19 digits always fit: the kernel's largest, in bytes, has 19.
	if len(b) == 0 || len(b) > 20 {
		return 0, false
	}
	for _, c := range b {
		d := uint64(c - '0')
		if d > 9 || n > (1<<64-1-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	return n, true
}
