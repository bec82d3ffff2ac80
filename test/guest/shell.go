package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// errLeft means that the user left the shell with the escape key.
var errLeft = errors.New("left the guest")

// escapeKey is Ctrl-], as in telnet(1): everything else goes to the guest.
const escapeKey = 0x1d

// terminalSize returns zeros where there is no terminal.
func terminalSize(tty *os.File) (rows, cols uint16) {
	size, err := unix.IoctlGetWinsize(int(tty.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, 0
	}
	return size.Row, size.Col
}

// rawTerminal hands the terminal's keys over to the guest until restore is
// called. Without a terminal it does nothing: commands from a pipe are fine.
func rawTerminal(tty *os.File) (restore func() error, err error) {
	fd := int(tty.Fd())
	before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if errors.Is(err, unix.ENOTTY) {
		return func() error { return nil }, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read terminal settings: %w", err)
	}
	raw := *before // as cfmakeraw(3) does
	raw.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	raw.Oflag &^= unix.OPOST
	raw.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &raw); err != nil {
		return nil, fmt.Errorf("set terminal: %w", err)
	}
	return func() error {
		if err := unix.IoctlSetTermios(fd, unix.TCSETS, before); err != nil {
			return fmt.Errorf("restore terminal (try stty sane): %w", err)
		}
		return nil
	}, nil
}

// bootShell is boot with this process's terminal as the guest's.
func bootShell(ctx context.Context, m machine, ports serial) (err error) {
	restore, err := rawTerminal(os.Stdin)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, restore()) }()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ports.stdin = &escapeReader{from: os.Stdin, escaped: func() { cancel(errLeft) }}
	return boot(ctx, m, ports)
}

// escapeReader passes keys on until the escape key, then calls escaped and
// reads as ended.
type escapeReader struct {
	from    io.Reader
	escaped func()
}

func (e *escapeReader) Read(p []byte) (int, error) {
	n, err := e.from.Read(p)
	if at := bytes.IndexByte(p[:n], escapeKey); at >= 0 {
		e.escaped()
		return at, io.EOF
	}
	return n, err
}
