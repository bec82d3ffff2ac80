package main

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// options is one guest as asked for on the command line.
type options struct {
	suite      string
	in         []string // PATH or PATH:NAME
	out        string   // directory for returned files; empty: nothing comes back
	env        []string // NAME=VALUE
	argv       []string
	timeout    time.Duration // 0: none
	icount     bool
	smp        int
	mem, swap  mebibytes
	forwards   forwards
	kernelArgs string
	console    string // file; empty: only the tail is kept, for error messages
	verbose    bool
	shell      bool
	rows, cols uint16 // of the terminal, with shell
}

// mebibytes is a size flag: "512", "512M" and "2G" are MiB, MiB and GiB.
type mebibytes int

func (m *mebibytes) String() string { return strconv.Itoa(int(*m)) }

// Type implements pflag.Value.
func (m *mebibytes) Type() string { return "size" }

// Set implements pflag.Value.
func (m *mebibytes) Set(s string) error {
	digits, factor := s, 1
	if number, ok := strings.CutSuffix(s, "G"); ok {
		digits, factor = number, 1024
	} else if number, ok := strings.CutSuffix(s, "M"); ok {
		digits = number
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n <= 0 || n > 1<<20/factor {
		return fmt.Errorf("size %q: want MiB, or a number with M or G, at most 1024G", s)
	}
	*m = mebibytes(n * factor)
	return nil
}

// forward makes the guest's loopback port reachable at an address of the host.
type forward struct {
	host      string // IP address
	port      int
	guestPort int
}

// forwards is a flag that may repeat.
type forwards []forward

func (f *forwards) String() string {
	parts := make([]string, 0, len(*f))
	for _, one := range *f {
		parts = append(parts, fmt.Sprintf("%s:%d:%d", one.host, one.port, one.guestPort))
	}
	return strings.Join(parts, " ")
}

// Type implements pflag.Value.
func (f *forwards) Type() string { return "host:port:guestport" }

// Set implements pflag.Value. Only IPv4: QEMU's user network separates the
// parts of a forward with colons.
func (f *forwards) Set(s string) error {
	bad := fmt.Errorf("forward %q: want IPV4:PORT:GUESTPORT, such as 127.0.0.1:3007:3007", s)
	parts := strings.Split(s, ":")
	if len(parts) != 3 {
		return bad
	}
	if ip := net.ParseIP(parts[0]); ip == nil || ip.To4() == nil {
		return bad
	}
	port, err := strconv.ParseUint(parts[1], 10, 16)
	if err != nil || port == 0 {
		return bad
	}
	guestPort, err := strconv.ParseUint(parts[2], 10, 16)
	if err != nil || guestPort == 0 {
		return bad
	}
	*f = append(*f, forward{host: parts[0], port: int(port), guestPort: int(guestPort)})
	return nil
}
