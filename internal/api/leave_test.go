package api

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// A client that has closed its end when it is looked for may be anybody: its port
// may be another's by now, and that is then what the table shows.
func TestClientThatHasHungUpIsNobody(t *testing.T) {
	for _, reused := range []bool{false, true} {
		l := both()
		opts := open(l)
		if reused {
			opts.ProcNet = t.TempDir()
		}
		h := serve(t, opts)
		c, err := net.Dial("tcp", h.addr)
		if err != nil {
			t.Fatal(err)
		}
		if reused {
			table := header + row(c.LocalAddr(), c.RemoteAddr(), "01", 0, 7)
			if err := os.WriteFile(opts.ProcNet+"/tcp", []byte(table), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		hangUp(t, c.(*net.TCPConn), "POST /restart/api-server HTTP/1.1\r\nHost: localhost\r\n\r\n")
		response, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusForbidden || l.who() != "nobody" {
			t.Errorf("reused %t: %d, asked: %s", reused, response.StatusCode, l.who())
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// hangUp sends a request and the end of the stream in one segment.
func hangUp(t *testing.T, c *net.TCPConn, request string) {
	t.Helper()
	if err := control(c, func(fd int) error { return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_CORK, 1) }); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte(request)); err != nil {
		t.Fatal(err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
}

func TestOwnEndKnowsThatTheClientIsGone(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if err := connected(server.(*net.TCPConn)); err != nil {
		t.Errorf("connected: %v", err)
	}
	if err := client.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Read(make([]byte, 1)); !errors.Is(err, unix.ECONNRESET) {
		t.Fatalf("read: %v", err)
	}
	if err := connected(server.(*net.TCPConn)); err == nil {
		t.Error("reset, and still taken for connected")
	}
}

func TestHostAccounts(t *testing.T) {
	name, _, err := hostAccounts{}.Account(0, operatorGroup)
	if err != nil || name != "root" {
		t.Errorf("uid 0 is %q, %v", name, err)
	}
	if _, member, err := (hostAccounts{}).Account(0, "root"); err != nil || !member {
		t.Errorf("root is in its own group: %t, %v", member, err)
	}
	name, member, err := hostAccounts{}.Account(stranger, "root")
	if name != "" || member || err != nil {
		t.Errorf("uid %d: %q, %t, %v", stranger, name, member, err)
	}
	if _, member, err := (hostAccounts{}).Account(uint32(os.Getuid()), "no-such-group"); member || err != nil {
		t.Errorf("a group that is not there: %t, %v", member, err)
	}
}
