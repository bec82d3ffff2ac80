package limit

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

const suffixes = "KMGTPE"

// ParseSize parses a limit as systemd.resource-control(5) writes it: a decimal
// number of bytes, which may have a fraction and a suffix K, M, G, T, P or E
// (powers of 1024, an optional "B" or "iB" after it), or "max" or "infinity".
// Percentages are refused: they are of the host's memory in systemd and of the
// service's Max here, which nobody would read twice to tell apart.
func ParseSize(s string) (Value, error) {
	t := strings.TrimSpace(s)
	switch t {
	case "max", "infinity":
		return Max, nil
	}
	num, shift := t, 0
	if i := strings.IndexFunc(t, func(r rune) bool { return (r < '0' || r > '9') && r != '.' }); i >= 0 {
		unit := strings.TrimSuffix(strings.TrimSuffix(t[i:], "B"), "i")
		num = t[:i]
		switch k := strings.Index(suffixes, unit); {
		case unit == "" && t[i:] == "B":
		case len(unit) == 1 && k >= 0:
			shift = 10 * (k + 1)
		default:
			return Absent, sizeError(s)
		}
	}
	if n, err := strconv.ParseUint(num, 10, 64); err == nil {
		if n > math.MaxUint64>>shift {
			return Absent, sizeError(s)
		}
		return Bytes(n << shift), nil
	}
	f, err := strconv.ParseFloat(num, 64)
	if err != nil || !strings.Contains(num, ".") {
		return Absent, sizeError(s)
	}
	f *= float64(uint64(1) << shift)
	if f >= math.MaxUint64 {
		return Absent, sizeError(s)
	}
	return Bytes(uint64(f)), nil
}

func sizeError(s string) error {
	return fmt.Errorf("size %.40q: want a number of bytes such as 512M, 1.5G or 1048576, or \"max\"", s)
}

// FormatSize writes n in the largest binary unit that divides it exactly, so
// that [ParseSize] gives n back: 268435456 is "256M", 1500 stays "1500".
func FormatSize(n uint64) string {
	unit := ""
	for i := 0; i < len(suffixes) && n != 0 && n%1024 == 0; i++ {
		n /= 1024
		unit = suffixes[i : i+1]
	}
	return strconv.FormatUint(n, 10) + unit
}

// Humanize writes n for reading, at three significant digits in binary units:
// "199.7 MiB", "1.0 GiB", "512 B". It does not round-trip; see [FormatSize].
func Humanize(n uint64) string {
	if n < 1024 {
		return strconv.FormatUint(n, 10) + " B"
	}
	f, i := float64(n)/1024, 0
	for f >= 1023.95 && i < len(suffixes)-1 {
		f /= 1024
		i++
	}
	return strconv.FormatFloat(f, 'f', 1, 64) + " " + suffixes[i:i+1] + "iB"
}
