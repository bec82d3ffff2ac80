package api

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// errNoOwner says that the client's end of a connection is not, or no longer,
// an open socket of this host.
var errNoOwner = errors.New("the owner of the connection is not known")

// socketOwner returns the uid that owns the client's end of a TCP connection
// between two sockets of this host. An IPv4 connection is in tcp6 when the
// client's socket is an IPv6 one.
func socketOwner(procNet string, client, server netip.AddrPort) (uint32, error) {
	for _, name := range []string{"tcp", "tcp6"} {
		f, err := os.Open(filepath.Join(procNet, name))
		if errors.Is(err, fs.ErrNotExist) && name == "tcp6" {
			break // a host without IPv6
		}
		if err != nil {
			return 0, fmt.Errorf("owner of the connection: %w", err)
		}
		uid, found, err := findSocket(f, client, server)
		if err := errors.Join(err, f.Close()); err != nil {
			return 0, fmt.Errorf("owner of the connection: %s: %w", name, err)
		}
		if found {
			return uid, nil
		}
	}
	return 0, errNoOwner
}

// findSocket looks for an established socket with the given ends in the text of
// /proc/net/tcp or tcp6 (Documentation/networking/proc_net_tcp.rst):
//
//	sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
//	 0: 0100007F:0BBF 0100007F:A75C 01 00000000:00000000 00:00000000 00000000  1000        0 31415 1 …
//
// State and inode matter for safety: a socket that its process closed lives on
// in the kernel for a while, in another state or without an inode, and is then
// shown with uid 0.
func findSocket(r io.Reader, local, remote netip.AddrPort) (uid uint32, found bool, err error) {
	const established = "01"
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 10 || f[0] == "sl" || f[3] != established || f[9] == "0" {
			continue
		}
		l, err := parseEndpoint(f[1])
		if err != nil {
			return 0, false, err
		}
		if l != local {
			continue
		}
		r, err := parseEndpoint(f[2])
		if err != nil {
			return 0, false, err
		}
		if r != remote {
			continue
		}
		n, err := strconv.ParseUint(f[7], 10, 32)
		if err != nil {
			return 0, false, fmt.Errorf("uid %.20q: want a number", f[7])
		}
		return uint32(n), true, nil
	}
	return 0, false, lines.Err()
}

// parseEndpoint parses "0100007F:0BBF": the address as 32-bit words in the byte
// order of the machine, the port as a number. An IPv4 address in an IPv6 one
// comes back as the former.
func parseEndpoint(s string) (netip.AddrPort, error) {
	address, port, ok := strings.Cut(s, ":")
	raw, err := hex.DecodeString(address)
	n, perr := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil || perr != nil || len(raw) != 4 && len(raw) != 16 {
		return netip.AddrPort{}, fmt.Errorf("address %.50q: want hexadecimal ADDRESS:PORT", s)
	}
	for i := 0; i < len(raw); i += 4 {
		// The kernel printed the word as a number; written back in the order of
		// this machine it gives the bytes as they were on the wire.
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	a, _ := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(a.Unmap(), uint16(n)), nil
}
