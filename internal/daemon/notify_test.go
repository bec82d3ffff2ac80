package daemon

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// systemd receives what a daemon says (sd_notify(3)).
func systemd(t *testing.T) (*net.UnixConn, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "n")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, path
}

func said(t *testing.T, c *net.UnixConn) string {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	n, err := c.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

func TestReadinessReloadAndStop(t *testing.T) {
	c, path := systemd(t)
	m := manager{socket: path}
	for _, tc := range []struct {
		say  func() error
		want string
	}{
		{func() error { return m.ready("supervising 5 services") }, `^READY=1\nSTATUS=supervising 5 services$`},
		{m.reloading, `^RELOADING=1\nMONOTONIC_USEC=[1-9][0-9]*$`},
		{func() error { return m.tell("STOPPING=1") }, `^STOPPING=1$`},
	} {
		if err := tc.say(); err != nil {
			t.Fatal(err)
		}
		if got := said(t, c); !regexp.MustCompile(tc.want).MatchString(got) {
			t.Errorf("said %q, want %s", got, tc.want)
		}
	}
	if err := (manager{}).ready("nobody listens"); err != nil {
		t.Errorf("without a manager: %v", err)
	}
}

func TestWatchdogBeatsOnlyWhileTheLineMoves(t *testing.T) {
	c, path := systemd(t)
	ctx, cancel := context.WithCancel(t.Context())
	m := manager{socket: path, beat: 20 * time.Millisecond}
	asked := 0
	done := make(chan error, 1)
	go func() {
		done <- m.watchdog(ctx, func(context.Context) error {
			asked++
			if asked > 1 {
				cancel()
				return errors.New("the line hangs")
			}
			return nil
		})
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := said(t, c); got != "WATCHDOG=1" {
		t.Errorf("said %q", got)
	}
	if err := c.SetReadDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 100)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a beat of a line that hangs: %d bytes, %v", n, err)
	}
}

func TestEnvironmentIsTakenOut(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "/run/systemd/notify")
	t.Setenv("WATCHDOG_USEC", "30000000")
	t.Setenv("WATCHDOG_PID", "")
	m, err := newManager()
	if err != nil || m.socket != "/run/systemd/notify" {
		t.Fatalf("got %+v, %v", m, err)
	}
	for _, name := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} {
		if v, there := os.LookupEnv(name); there {
			t.Errorf("%s=%s is left for what memsupd starts", name, v)
		}
	}
}
