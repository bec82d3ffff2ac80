package api

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const stranger = 54321 // a uid that no host has

// as dials with the effective user of the given uid; only root may become another.
func as(t *testing.T, uid int, network, address string) (net.Conn, error) {
	t.Helper()
	if uid == os.Geteuid() {
		return net.Dial(network, address)
	}
	type result struct {
		net.Conn
		error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its user
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0)); errno != 0 {
			done <- result{nil, errno}
			return
		}
		c, err := net.Dial(network, address)
		done <- result{c, err}
	}()
	r := <-done
	return r.Conn, r.error
}

// The kernel says who asks: on both kinds of socket, as whichever user.
func TestWhoMayRestart(t *testing.T) {
	me := os.Geteuid()
	uids := []int{me}
	if me == 0 {
		uids = append(uids, stranger)
	}
	accounts := map[string]users{
		"nobody":   {},
		"member":   {uint32(me): {name: "ada", member: true}, stranger: {name: "ada", member: true}},
		"outsider": {uint32(me): {name: "bob"}, stranger: {name: "bob"}},
		"trouble":  {uint32(me): {err: errors.New("no such file")}, stranger: {err: errors.New("no such file")}},
	}
	for kind, accounts := range accounts {
		for _, uid := range uids {
			l := both()
			h := serve(t, Options{Source: l, Operator: l, Accounts: accounts})
			for network, address := range map[string]string{"unix": h.socket, "tcp": h.addr} {
				c := h.over(func() (net.Conn, error) { return as(t, uid, network, address) })
				a := h.ask(c, "POST", "/restart/api-server", "")
				want := http.StatusForbidden
				if uid == 0 || kind == "member" {
					want = http.StatusOK
				}
				if a.status != want {
					t.Errorf("%s, uid %d over %s: %d %s; want %d", kind, uid, network, a.status, a.body, want)
				}
				identity := fmt.Sprintf("uid %d", uid)
				if a.status == http.StatusOK && !strings.HasPrefix(l.who(), "api-server by "+identity) {
					t.Errorf("uid %d over %s: asked for: %s", uid, network, l.who())
				}
				if a.status == http.StatusForbidden && (!strings.Contains(string(a.body), identity) || !strings.Contains(string(a.body), "usermod -aG memsup")) {
					t.Errorf("uid %d over %s: the refusal names neither who nor the way out: %s", uid, network, a.body)
				}
				if a := h.ask(c, "GET", "/metrics", ""); a.status != http.StatusOK {
					t.Errorf("uid %d over %s may not read: %d", uid, network, a.status)
				}
			}
		}
	}
}

func TestRecordSaysWhoAndHow(t *testing.T) {
	l := both()
	uid := uint32(os.Geteuid())
	h := serve(t, Options{Source: l, Operator: l, Accounts: users{uid: {name: "ada", member: true}}})
	for c, via := range map[*http.Client]string{h.unix: "the unix socket", h.tcp: "127.0.0.1"} {
		h.ask(c, "POST", "/restart/api-server", "")
		if want := fmt.Sprintf("api-server by uid %d (ada) over %s", uid, via); l.who() != want {
			t.Errorf("%s, want %s", l.who(), want)
		}
	}
}

// row is a line of /proc/net/tcp for a socket of 127.0.0.1.
func row(local, remote net.Addr, state string, uid, inode int) string {
	const loopback = "0100007F"
	return fmt.Sprintf("   0: %s:%04X %s:%04X %s 00000000:00000000 00:00000000 00000000 %5d        0 %d 1 0 20 4 30 10 -1\n",
		loopback, local.(*net.TCPAddr).Port, loopback, remote.(*net.TCPAddr).Port, state, uid, inode)
}

const header = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"

// A socket that its process closed is shown with uid 0 in some states: that is not root.
func TestOwnerOfAConnection(t *testing.T) {
	type text func(client, server net.Addr) string
	for name, tc := range map[string]struct {
		tcp  text
		want int
		who  string
	}{
		"root":          {func(c, s net.Addr) string { return row(c, s, "01", 0, 7) }, 200, "uid 0 over"},
		"member":        {func(c, s net.Addr) string { return row(c, s, "01", 1000, 7) }, 200, "uid 1000 (ada) over"},
		"another user":  {func(c, s net.Addr) string { return row(c, s, "01", 1001, 7) }, 403, ""},
		"time-wait":     {func(c, s net.Addr) string { return row(c, s, "06", 0, 0) }, 403, ""},
		"fin-wait-2":    {func(c, s net.Addr) string { return row(c, s, "05", 0, 0) }, 403, ""},
		"orphan":        {func(c, s net.Addr) string { return row(c, s, "01", 0, 0) }, 403, ""},
		"our own end":   {func(c, s net.Addr) string { return row(s, c, "01", 0, 7) }, 403, ""},
		"gone":          {func(net.Addr, net.Addr) string { return "" }, 403, ""},
		"not a table":   {func(c, s net.Addr) string { return strings.Replace(row(c, s, "01", 0, 7), "0100007F", "x", 1) }, 403, ""},
		"old, then new": {func(c, s net.Addr) string { return row(c, s, "06", 0, 0) + row(c, s, "01", 1000, 7) }, 200, "uid 1000 (ada) over"},
	} {
		t.Run(name, func(t *testing.T) {
			l := both()
			dir := t.TempDir()
			h := serve(t, Options{Source: l, Operator: l, ProcNet: dir, Accounts: users{1000: {name: "ada", member: true}, 1001: {name: "bob"}}})
			c := h.over(func() (net.Conn, error) {
				conn, err := net.Dial("tcp", h.addr)
				if err != nil {
					return nil, err
				}
				return conn, os.WriteFile(dir+"/tcp", []byte(header+tc.tcp(conn.LocalAddr(), conn.RemoteAddr())), 0o644)
			})
			a := h.ask(c, "POST", "/restart/api-server", "")
			if a.status != tc.want || tc.want == 200 && !strings.HasPrefix(l.who(), "api-server by "+tc.who) || tc.want != 200 && l.who() != "nobody" {
				t.Errorf("%d %s; %s; want %d %s", a.status, a.body, l.who(), tc.want, tc.who)
			}
		})
	}
}

func TestNoTableNoIdentity(t *testing.T) {
	l := both()
	h := serve(t, Options{Source: l, Operator: l, ProcNet: t.TempDir(), Accounts: everybody{}})
	a := h.ask(h.tcp, "POST", "/restart/api-server", "")
	if a.status != http.StatusForbidden || !strings.Contains(string(a.body), "memsupctl") {
		t.Errorf("%d %s; want 403 and another way", a.status, a.body)
	}
}
