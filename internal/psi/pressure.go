package psi

import (
	"bytes"
	"fmt"
	"time"
)

// Pressure is the content of one pressure file. The zero Pressure is "not
// known"; a line that the kernel did not write has Known == false.
type Pressure struct {
	Some Stall // at least one task waited
	Full Stall // all non-idle tasks waited at once
}

// Stall is one line of a pressure file.
type Stall struct {
	Known bool // whether the file has this line
	// Avg10, Avg60 and Avg300 are the share of time lost, in percent (0 to
	// 100), over the last 10, 60 and 300 seconds.
	Avg10, Avg60, Avg300 float64
	// Total is the time lost since the cgroup (or the host) began.
	Total time.Duration
}

// Parse parses the content of a pressure file such as memory.pressure or
// /proc/pressure/memory, from Documentation/accounting/psi.rst:
//
//	some avg10=0.00 avg60=0.00 avg300=0.00 total=0
//	full avg10=0.00 avg60=0.00 avg300=0.00 total=0
//
// Averages are percentages with two decimals, total is in microseconds. A line
// of another kind is skipped, so that a later kernel may add one; a "some" line
// is demanded. Parse allocates nothing unless it fails.
func Parse(b []byte) (Pressure, error) {
	var p Pressure
	for len(b) > 0 {
		line := b
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			line, b = b[:i], b[i+1:]
		} else {
			b = nil
		}
		kind, fields, _ := bytes.Cut(line, space)
		var to *Stall
		switch string(kind) {
		case "some":
			to = &p.Some
		case "full":
			to = &p.Full
		default:
			continue
		}
		if to.Known {
			return Pressure{}, fmt.Errorf("pressure line %.80q: the second of its kind", line)
		}
		var ok bool
		if *to, ok = parseStall(fields); !ok {
			return Pressure{}, fmt.Errorf("pressure line %.80q: want avg10=N.NN avg60=N.NN avg300=N.NN total=N", line)
		}
	}
	if !p.Some.Known {
		return Pressure{}, fmt.Errorf("pressure: no line \"some\"")
	}
	return p, nil
}

var space = []byte{' '}

// parseStall parses "avg10=0.00 avg60=0.00 avg300=0.00 total=0".
func parseStall(b []byte) (s Stall, ok bool) {
	var avg [3]float64
	for i, key := range [...]string{"avg10=", "avg60=", "avg300="} {
		if b, ok = cutKey(b, key); !ok {
			return Stall{}, false
		}
		if avg[i], b, ok = parsePercent(b); !ok || len(b) == 0 || b[0] != ' ' {
			return Stall{}, false
		}
		b = b[1:]
	}
	if b, ok = cutKey(b, "total="); !ok {
		return Stall{}, false
	}
	usec, rest, ok := parseUint(b)
	// Later fields, if a kernel ever adds them, are not ours to refuse.
	if !ok || len(rest) > 0 && rest[0] != ' ' || usec > maxMicroseconds {
		return Stall{}, false
	}
	return Stall{Known: true, Avg10: avg[0], Avg60: avg[1], Avg300: avg[2], Total: time.Duration(usec) * time.Microsecond}, true
}

// maxMicroseconds is what a time.Duration can hold: 292 years of stalling.
const maxMicroseconds = uint64(1<<63-1) / uint64(time.Microsecond)

func cutKey(b []byte, key string) ([]byte, bool) {
	if len(b) < len(key) || string(b[:len(key)]) != key {
		return nil, false
	}
	return b[len(key):], true
}

// parsePercent parses the kernel's "%lu.%02lu" at the start of b.
func parsePercent(b []byte) (v float64, rest []byte, ok bool) {
	whole, rest, ok := parseUint(b)
	if !ok || whole > 100 || len(rest) < 3 || rest[0] != '.' || !digit(rest[1]) || !digit(rest[2]) {
		return 0, nil, false
	}
	hundredths := whole*100 + uint64(rest[1]-'0')*10 + uint64(rest[2]-'0')
	return float64(hundredths) / 100, rest[3:], true
}

// parseUint parses the decimal digits at the start of b.
func parseUint(b []byte) (n uint64, rest []byte, ok bool) {
	i := 0
	for ; i < len(b) && digit(b[i]); i++ {
		if i == maxDigits {
			return 0, nil, false
		}
		n = n*10 + uint64(b[i]-'0')
	}
	return n, b[i:], i > 0
}

// maxDigits keeps parseUint from overflowing: 10^19-1 fits a uint64.
const maxDigits = 19

func digit(c byte) bool { return c >= '0' && c <= '9' }
