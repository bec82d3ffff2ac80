package services_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// rawConn is a client that sends what no proper one would.
type rawConn struct {
	net.Conn
	in *bufio.Reader
}

// upgrade asks for a WebSocket, with the example of RFC 6455, section 1.3.
func (p *process) upgrade() *http.Request {
	p.t.Helper()
	req, err := http.NewRequest(http.MethodGet, "http://"+p.addr+"/ws", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header = http.Header{
		"Upgrade": {"websocket"}, "Connection": {"Upgrade"},
		"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
	}
	return req
}

// handshake asks for one as the test changes it.
func (p *process) handshake(dialer net.Dialer, change func(*http.Request)) (*rawConn, *http.Response) {
	p.t.Helper()
	req := p.upgrade()
	if change != nil {
		change(req)
	}
	conn, err := dialer.Dial("tcp", p.addr)
	if err != nil {
		p.t.Fatal(err)
	}
	c := &rawConn{conn, bufio.NewReader(conn)}
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		p.t.Fatal(err)
	}
	if err := req.Write(c); err != nil {
		p.t.Fatal(err)
	}
	resp, err := http.ReadResponse(c.in, req)
	if err != nil {
		p.t.Fatal(err)
	}
	return c, resp
}

func (p *process) dialRaw() *rawConn {
	p.t.Helper()
	return p.dialBy(net.Dialer{})
}

// dialDeaf is dialRaw for a client that is not going to read: its kernel takes in
// little. It has to know before it tells the service how much it takes.
func (p *process) dialDeaf() *rawConn {
	p.t.Helper()
	return p.dialBy(net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) {
			failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096)
		})
		return errors.Join(err, failed)
	}})
}

func (p *process) dialBy(dialer net.Dialer) *rawConn {
	p.t.Helper()
	c, resp := p.handshake(dialer, nil)
	if resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		c.Close()
		p.t.Fatalf("handshake: got %s %v", resp.Status, resp.Header)
	}
	return c
}

// frame is a masked one. first is FIN, the reserved bits and the opcode.
func frame(first byte, payload string) string {
	const mask = "\x01\x20\x0f\x7a"
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	b = append(b, mask...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i%4])
	}
	return string(b)
}

func handshakeIsRefused(t *testing.T, p *process) {
	for _, c := range []struct {
		name   string
		change func(*http.Request)
		status int
		header string // Sec-WebSocket-Version of the answer
	}{
		{"no key", func(r *http.Request) { r.Header.Del("Sec-WebSocket-Key") }, http.StatusBadRequest, ""},
		{"short key", func(r *http.Request) { r.Header.Set("Sec-WebSocket-Key", "c2hvcnQ=") }, http.StatusBadRequest, ""},
		{"another protocol", func(r *http.Request) { r.Header.Set("Upgrade", "h2c") }, http.StatusBadRequest, ""},
		{"POST", func(r *http.Request) { r.Method = http.MethodPost }, http.StatusBadRequest, ""},
		{"old version", func(r *http.Request) { r.Header.Set("Sec-WebSocket-Version", "8") }, http.StatusUpgradeRequired, "13"},
		{"another path", func(r *http.Request) { r.URL.Path = "/" }, http.StatusNotFound, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, resp := p.in(t).handshake(net.Dialer{}, c.change)
			defer conn.Close()
			if got := resp.Header.Get("Sec-WebSocket-Version"); resp.StatusCode != c.status || got != c.header {
				t.Errorf("got %s, version %q, want %d, %q", resp.Status, got, c.status, c.header)
			}
			if rest, err := io.ReadAll(conn.in); len(rest) > 0 || err != nil {
				t.Errorf("then %q, %v, want the end", rest, err)
			}
		})
	}
}

// What breaks RFC 6455 ends the connection with the code that it gives the offence.
func malformedFramesAreRefused(t *testing.T, p *process) {
	for _, c := range []struct {
		name, sent string
		code       uint16 // 0: a close frame without one
	}{
		{"unmasked", "\x81\x01a", 1002},
		{"reserved bit", frame(0xc1, "a"), 1002},
		{"unknown opcode", frame(0x83, "a"), 1002},
		{"unknown control opcode", frame(0x8b, ""), 1002},
		{"ping in fragments", frame(0x09, "a"), 1002},
		{"long ping", frame(0x89, strings.Repeat("a", 126)), 1002},
		{"continuation of nothing", frame(0x80, "a"), 1002},
		{"message within a message", frame(0x01, "a") + frame(0x81, "b"), 1002},
		{"binary", frame(0x82, "a"), 1003},
		{"not UTF-8", frame(0x81, "a\xff"), 1007},
		{"UTF-8 cut off", frame(0x01, "\xe4") + frame(0x80, "\xb8"), 1007},
		{"too big together", frame(0x01, strings.Repeat("a", messageMax)) + frame(0x80, "a"), 1009},
		{"length of 2^63", "\x81\xff\x80\x00\x00\x00\x00\x00\x00\x00", 1009},
		{"close with half a code", frame(0x88, "\x03"), 1002},
		{"close with a code for nobody to send", frame(0x88, "\x03\xed"), 1002}, // 1005
		{"close with a reason not UTF-8", frame(0x88, "\x03\xe8\xff"), 1002},
		{"close", frame(0x88, "\x03\xe8bye"), 1000},
		{"close without a code", frame(0x88, ""), 0},
		{"nothing after a close", frame(0x88, "\x03\xe8") + frame(0x81, "a"), 1000},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := p.in(t).dialRaw()
			defer conn.Close()
			if _, err := io.WriteString(conn, c.sent); err != nil {
				t.Fatal(err)
			}
			want := "\x88\x00"
			if c.code != 0 {
				want = string(binary.BigEndian.AppendUint16([]byte{0x88, 2}, c.code))
			}
			if got, err := io.ReadAll(conn.in); err != nil || string(got) != want {
				t.Errorf("got %q, %v, want %q and the end", got, err, want)
			}
		})
	}
	p.awaitClients(0)
}

// Frames may come in any pieces, and messages in any fragments.
func framesInPieces(t *testing.T, p *process) {
	conn := p.dialRaw()
	defer conn.Close()
	hears := func(want string) {
		t.Helper()
		got := make([]byte, len(want))
		if _, err := io.ReadFull(conn.in, got); err != nil || string(got) != want {
			t.Fatalf("got %.40q, %v, want %.40q", got, err, want)
		}
	}
	for _, b := range []byte(frame(0x81, strings.Repeat("a", 130))) {
		if _, err := conn.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	hears("\x81\x7e\x00\x82" + strings.Repeat("a", 130))
	fragments := frame(0x01, "a") + strings.Repeat(frame(0x00, "a"), messageMax-2) + strings.Repeat(frame(0x00, ""), 100) + frame(0x80, "a")
	if _, err := io.WriteString(conn, fragments+frame(0x89, "?")+frame(0x8a, "unasked")+frame(0x81, "b")); err != nil {
		t.Fatal(err)
	}
	hears("\x81\x7e\x40\x00" + strings.Repeat("a", messageMax))
	hears("\x8a\x01?")
	hears("\x81\x01b")
}
