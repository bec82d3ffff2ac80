package api

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
)

func little() bool { return binary.NativeEndian.Uint16([]byte{1, 0}) == 1 }

func TestParseEndpoint(t *testing.T) {
	if !little() {
		t.Skip("the examples are from a little-endian machine")
	}
	for in, want := range map[string]string{
		"0100007F:0BBF":                         "127.0.0.1:3007",
		"00000000:0000":                         "0.0.0.0:0",
		"0101A8C0:FFFF":                         "192.168.1.1:65535",
		"00000000000000000000000001000000:0BBF": "[::1]:3007",
		"0000000000000000FFFF00000100007F:0BBF": "127.0.0.1:3007", // an IPv4 peer of an IPv6 socket
		"B80D0120000000000000000001000000:01BB": "[2001:db8::1]:443",
		"":                                      "", ":": "", "0100007F": "", "0100007F:": "", "0100007F:10000": "", "0100007F:-1": "",
		"01007F:0BBF": "", "0100007G:0BBF": "", "0100007F0100007F:0BBF": "", "0100007F:0BBF:1": "",
	} {
		got, err := parseEndpoint(in)
		if want == "" {
			if err == nil {
				t.Errorf("%q: %v, want an error", in, got)
			}
			continue
		}
		if err != nil || got != netip.MustParseAddrPort(want) {
			t.Errorf("%q: %v, %v; want %s", in, got, err, want)
		}
	}
}

func FuzzParseEndpoint(f *testing.F) {
	for _, s := range []string{"0100007F:0BBF", "0000000000000000FFFF00000100007F:0BBF", "0100007F:", ":0BBF", "zz:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := parseEndpoint(s)
		if err != nil {
			if len(err.Error()) > 500 {
				t.Errorf("%d bytes of error", len(err.Error()))
			}
			return
		}
		if !a.IsValid() || a.Addr().Is4In6() {
			t.Errorf("%q: %v", s, a)
		}
		// Only the case of the digits and leading zeros of the port may differ.
		address, _, _ := strings.Cut(s, ":")
		if again, err := parseEndpoint(strings.ToUpper(address) + s[len(address):]); err != nil || again != a {
			t.Errorf("%q: %v and %v, %v", s, a, again, err)
		}
	})
}

func FuzzFindSocket(f *testing.F) {
	const connection = "   0: 0100007F:A75C 0100007F:0BBF 01 00000000:00000000 00:00000000 00000000  1000        0 31415 1 0 20 4 30 10 -1\n"
	f.Add(header + connection)
	f.Add(strings.Replace(connection, " 01 ", " 06 ", 1))
	f.Add(strings.Replace(connection, "31415", "0", 1))
	f.Add(connection[:60])
	f.Add(strings.Replace(connection, "1000 ", "4294967296 ", 1))
	client, server := netip.MustParseAddrPort("127.0.0.1:42844"), netip.MustParseAddrPort("127.0.0.1:3007")
	f.Fuzz(func(t *testing.T, text string) {
		uid, found, err := findSocket(strings.NewReader(text), client, server)
		if err != nil && found {
			t.Error("found beside an error")
		}
		if !found && uid != 0 {
			t.Errorf("uid %d of nothing", uid)
		}
		// The same sockets, all of them closed.
		var closed strings.Builder
		for line := range strings.Lines(text) {
			fields := strings.Fields(line)
			if len(fields) > 3 {
				fields[3] = "06"
			}
			closed.WriteString(strings.Join(fields, " ") + "\n")
		}
		if uid, found, _ := findSocket(strings.NewReader(closed.String()), client, server); found {
			t.Errorf("uid %d owns a socket that is closed, in %q", uid, closed.String())
		}
	})
}
