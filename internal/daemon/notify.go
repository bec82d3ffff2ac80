package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// manager tells systemd how memsupd is (sd_notify(3)). Without NOTIFY_SOCKET it
// tells nobody.
type manager struct {
	socket string
	beat   time.Duration // WatchdogSec=, 0 without
}

// newManager takes what systemd passed in the environment, and takes it out, so
// that nothing that memsupd starts inherits it.
func newManager() (manager, error) {
	beat, err := daemon.SdWatchdogEnabled(true)
	if err != nil {
		return manager{}, fmt.Errorf("read WATCHDOG_USEC: %w", err)
	}
	m := manager{socket: os.Getenv("NOTIFY_SOCKET"), beat: beat}
	if err := os.Unsetenv("NOTIFY_SOCKET"); err != nil {
		return manager{}, fmt.Errorf("clear NOTIFY_SOCKET: %w", err)
	}
	return m, nil
}

func (m manager) tell(state string) error {
	if m.socket == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: m.socket, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	err = conn.SetWriteDeadline(time.Now().Add(time.Second))
	if err == nil {
		_, err = conn.Write([]byte(state))
	}
	if err = errors.Join(err, conn.Close()); err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	return nil
}

func (m manager) ready(status string) error {
	return m.tell(daemon.SdNotifyReady + "\nSTATUS=" + status)
}

// reloading announces a reload; systemd wants the time that it began at, on
// CLOCK_MONOTONIC (since version 253; earlier ones ignore it).
func (m manager) reloading() error {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return fmt.Errorf("CLOCK_MONOTONIC: %w", err)
	}
	return m.tell(daemon.SdNotifyReloading + "\nMONOTONIC_USEC=" + strconv.FormatInt(ts.Nano()/1000, 10))
}

// watchdog tells systemd at half its interval that memsupd lives, which is asked
// of the supervisor's own line each time.
func (m manager) watchdog(ctx context.Context, alive func(context.Context) error) error {
	if m.beat == 0 {
		return nil
	}
	tick := time.NewTicker(m.beat / 2)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		actx, cancel := context.WithTimeout(ctx, m.beat/2)
		err := alive(actx)
		cancel()
		if err != nil {
			continue // no beat: systemd restarts memsupd when this lasts, and the services run on
		}
		if err := m.tell(daemon.SdNotifyWatchdog); err != nil {
			return err
		}
	}
}
