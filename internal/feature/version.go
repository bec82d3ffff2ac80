package feature

import (
	"fmt"
	"strconv"
	"strings"
)

// Kernel is a kernel's version, of which only the first two numbers matter here.
type Kernel struct{ Major, Minor int }

// MinKernel and MinSystemd are the oldest that are supported.
var MinKernel = Kernel{5, 15}

// MinSystemd is the oldest systemd that is supported.
const MinSystemd = 249

// String returns "6.12".
func (k Kernel) String() string { return strconv.Itoa(k.Major) + "." + strconv.Itoa(k.Minor) }

// Less reports whether k is older than other.
func (k Kernel) Less(other Kernel) bool {
	return k.Major < other.Major || k.Major == other.Major && k.Minor < other.Minor
}

// ParseKernel parses a release as uname(2) and /proc/sys/kernel/osrelease give
// it: "6.1.0-18-cloud-amd64", "5.15.167.4-microsoft-standard-WSL2", "6.12-rc1".
func ParseKernel(release string) (Kernel, error) {
	major, rest, ok := strings.Cut(strings.TrimSpace(release), ".")
	m, err := strconv.ParseUint(major, 10, 16)
	if ok && err == nil {
		if n, ok := leadingNumber(rest); ok {
			return Kernel{int(m), n}, nil
		}
	}
	return Kernel{}, fmt.Errorf("kernel release %.80q: want it to begin with two numbers, as in 6.12.1", release)
}

// ParseSystemd parses the version in systemd's Version property: "257.7-1",
// "249.11-0ubuntu3.12", "258~rc1".
func ParseSystemd(version string) (int, error) {
	if n, ok := leadingNumber(strings.TrimSpace(version)); ok {
		return n, nil
	}
	return 0, fmt.Errorf("systemd version %.80q: want it to begin with a number", version)
}

func leadingNumber(s string) (int, bool) {
	if i := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		s = s[:i]
	}
	n, err := strconv.ParseUint(s, 10, 16)
	return int(n), err == nil
}
