package unit

import (
	"encoding/hex"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/memsup/memsup/internal/limit"
)

// props are the properties of a unit as D-Bus delivers them. A property that
// is missing or of another type than documented reads as its zero value: older
// managers lack some, and nothing that arrives may make the daemon fail.
type props map[string]dbus.Variant

// prop returns the property name when it is of type T.
func prop[T any](p props, name string) (T, bool) {
	v, ok := p[name].Value().(T)
	return v, ok
}

func (p props) text(name string) string {
	s, _ := prop[string](p, name)
	return s
}

func (p props) flag(name string) bool {
	b, _ := prop[bool](p, name)
	return b
}

func (p props) texts(name string) []string {
	s, _ := prop[[]string](p, name)
	return s
}

func (p props) u32(name string) uint32 {
	n, _ := prop[uint32](p, name)
	return n
}

func (p props) i32(name string) int32 {
	n, _ := prop[int32](p, name)
	return n
}

// pid is a u: 0 and what no process ID can be (above 2^22, PID_MAX_LIMIT of
// the kernel's include/linux/threads.h) read as none.
func (p props) pid(name string) int {
	if n := p.u32(name); n <= 1<<22 {
		return int(n)
	}
	return 0
}

// limit is a t in bytes, with the largest number for "infinity".
func (p props) limit(name string) limit.Value {
	if n, ok := prop[uint64](p, name); ok {
		return limit.FromSystemd(n)
	}
	return limit.Absent
}

// wall is a t in microseconds since 1970; 0 stands for never.
func (p props) wall(name string) time.Time {
	n, ok := prop[uint64](p, name)
	if !ok || n == 0 || n > 1<<62 {
		return time.Time{}
	}
	return time.UnixMicro(int64(n))
}

// span is a t in microseconds; the largest number stands for "infinity" and
// reads, as does what no Duration can hold, as the longest Duration.
func (p props) span(name string) time.Duration {
	const longest = time.Duration(1<<63 - 1)
	n, _ := prop[uint64](p, name)
	if n > uint64(longest/time.Microsecond) {
		return longest
	}
	return time.Duration(n) * time.Microsecond
}

// id128 is an ay of 16 bytes, written in hexadecimal; anything else is "".
func (p props) id128(name string) string {
	b, _ := prop[[]byte](p, name)
	if len(b) != 16 {
		return ""
	}
	return hex.EncodeToString(b)
}

// job is a (uo): the ID of the queued job, 0 when there is none.
func (p props) job(name string) uint32 {
	f, _ := prop[[]any](p, name)
	if len(f) != 2 {
		return 0
	}
	id, _ := f[0].(uint32)
	return id
}
