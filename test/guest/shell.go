package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// escapeKey is Ctrl-], as in telnet(1): everything else goes to the guest.
const escapeKey = 0x1d

// rawTerminal hands the terminal's keys and control over to the guest and
// notes its size in opt. restore undoes it.
func rawTerminal(tty *os.File, opt *options) (restore func(), err error) {
	fd := int(tty.Fd())
	before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if errors.Is(err, unix.ENOTTY) {
		return func() {}, nil // commands from a pipe are fine too
	}
	if err != nil {
		return nil, fmt.Errorf("read terminal settings: %w", err)
	}
	if size, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ); err == nil {
		opt.rows, opt.cols = size.Row, size.Col
	}
	// cfmakeraw(3), except that output is still processed.
	raw := *before
	raw.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	raw.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &raw); err != nil {
		return nil, fmt.Errorf("set terminal: %w", err)
	}
	return func() {
		if err := unix.IoctlSetTermios(fd, unix.TCSETS, before); err != nil {
			fmt.Fprintf(os.Stderr, "guest: restore terminal: %v; try stty sane\n", err)
		}
	}, nil
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
