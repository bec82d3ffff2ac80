package limit

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

type kind uint8

const (
	absent kind = iota
	unlimited
	bytes
)

// Value is one memory limit: absent, Max (unlimited) or a number of bytes.
// Values compare with ==.
type Value struct {
	kind kind
	n    uint64
}

// Max is the kernel's "max" and systemd's "infinity": explicitly no limit.
var Max = Value{kind: unlimited}

// Absent says that nothing is known or nothing was set; it is the zero Value.
var Absent = Value{}

// Bytes returns a limit of n bytes.
func Bytes(n uint64) Value { return Value{kind: bytes, n: n} }

// IsAbsent reports whether nothing is known of this limit.
func (v Value) IsAbsent() bool { return v.kind == absent }

// IsMax reports whether the limit is explicitly unlimited.
func (v Value) IsMax() bool { return v.kind == unlimited }

// Bytes returns the number of bytes and true, or false when v is absent or Max.
func (v Value) Bytes() (uint64, bool) { return v.n, v.kind == bytes }

// String is for people and round-trips through ParseSize: "absent", "max", or
// the size in the largest binary unit that divides it ("256M", "1G", "1500").
func (v Value) String() string {
	switch v.kind {
	case absent:
		return "absent"
	case unlimited:
		return "max"
	default:
		return FormatSize(v.n)
	}
}

// Systemd returns v as systemd's D-Bus interface encodes limits: an unsigned
// 64-bit number of bytes with the largest number standing for "infinity"
// (org.freedesktop.systemd1(5), MemoryMax). ok is false when v is absent.
func (v Value) Systemd() (n uint64, ok bool) {
	switch v.kind {
	case absent:
		return 0, false
	case unlimited:
		return math.MaxUint64, true
	default:
		return v.n, true
	}
}

// FromSystemd is the inverse of [Value.Systemd].
func FromSystemd(n uint64) Value {
	if n == math.MaxUint64 {
		return Max
	}
	return Bytes(n)
}

// ParseKernel parses the content of a cgroup v2 limit file such as memory.max:
// "max" or a decimal number of bytes, with or without the final newline
// (Documentation/admin-guide/cgroup-v2.rst, "Memory Interface Files").
func ParseKernel(b []byte) (Value, error) {
	if n := len(b); n > 0 && b[n-1] == '\n' {
		b = b[:n-1]
	}
	if string(b) == "max" {
		return Max, nil
	}
	n, err := strconv.ParseUint(string(b), 10, 64)
	if err != nil {
		return Absent, fmt.Errorf("limit %.40q: want \"max\" or a number of bytes", b)
	}
	return Bytes(n), nil
}

// MarshalJSON writes null, "max" or a number of bytes.
func (v Value) MarshalJSON() ([]byte, error) {
	switch v.kind {
	case absent:
		return []byte("null"), nil
	case unlimited:
		return []byte(`"max"`), nil
	default:
		return strconv.AppendUint(nil, v.n, 10), nil
	}
}

// UnmarshalJSON is the inverse of [Value.MarshalJSON].
func (v *Value) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case "null":
		*v = Absent
		return nil
	case `"max"`:
		*v = Max
		return nil
	}
	var n uint64
	if err := json.Unmarshal(b, &n); err != nil {
		return fmt.Errorf("limit %.40q: want null, \"max\" or a number of bytes", b)
	}
	*v = Bytes(n)
	return nil
}
