package kmsg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// maxRecord is more than the kernel's own bound of one record
// (PRINTKRB_RECORD_MAX and the header).
const maxRecord = 8192

// kmsgDevice is its number (Documentation/admin-guide/devices.txt).
var kmsgDevice = unix.Mkdev(1, 11)

// maxPass bounds one reading, so that who asks gets an answer while a program
// floods the log: more than the log of most kernels holds (LOG_BUF_SHIFT). What is
// left is read next time.
const maxPass = 1 << 14

// poll bounds how long Run waits before it looks whether its context has ended.
const poll = time.Second

// Reader reads the kernel log from where it stood when the Reader was opened.
type Reader struct {
	mu   sync.Mutex // one reader at a time: each record is read once
	fd   int        // -1 when closed
	buf  [maxRecord]byte
	lost uint64
}

// Open opens the kernel log, "/dev/kmsg", at its end. It needs CAP_SYSLOG where
// kernel.dmesg_restrict is set. What a container has under that name instead, such
// as /dev/null or its console, is refused with an error that matches
// [errors.ErrUnsupported].
func Open(path string) (*Reader, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, errors.Join(fmt.Errorf("stat %s: %w", path, err), unix.Close(fd))
	}
	if st.Mode&unix.S_IFMT != unix.S_IFCHR || st.Rdev != kmsgDevice {
		return nil, errors.Join(fmt.Errorf("open %s: it is not the kernel log (character device 1:11): %w", path, errors.ErrUnsupported), unix.Close(fd))
	}
	if _, err := unix.Seek(fd, 0, unix.SEEK_END); err != nil && !errors.Is(err, unix.ESPIPE) {
		return nil, errors.Join(fmt.Errorf("seek to the end of %s: %w", path, err), unix.Close(fd))
	}
	return &Reader{fd: fd}, nil
}

// Drain reads the records that are there and calls kill for those that tell of
// one. It does not wait for more. A record that cannot be parsed is an error,
// told after the rest was read.
func (r *Reader) Drain(kill func(Kill)) error {
	kills, bad, err := r.read()
	for _, k := range kills {
		kill(k)
	}
	return errors.Join(bad, err)
}

// read collects, so that no lock is held while kills are handed on. bad is of
// records that cannot be parsed, err of the log itself.
func (r *Reader) read() (kills []Kill, bad, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for range maxPass {
		if r.fd < 0 {
			return kills, bad, os.ErrClosed
		}
		n, err := unix.Read(r.fd, r.buf[:])
		switch {
		case errors.Is(err, unix.EPIPE): // records were overwritten before we came
			r.lost++
			continue
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return kills, bad, nil
		case errors.Is(err, unix.EINVAL): // longer than maxRecord, which no kill is; it is passed over
			continue
		case err != nil:
			return kills, bad, fmt.Errorf("read the kernel log: %w", err)
		case n == 0:
			return kills, bad, fmt.Errorf("read the kernel log: it has an end: %w", io.ErrUnexpectedEOF)
		}
		k, ok, err := parse(r.buf[:n])
		if err != nil {
			bad = err // the last one stands for all
		}
		if ok {
			kills = append(kills, k)
		}
	}
	return kills, bad, nil
}

// Run drains the log whenever there is something in it, until ctx ends, the
// reader is closed or the log cannot be read. Records that cannot be parsed are
// handed to odd.
func (r *Reader) Run(ctx context.Context, kill func(Kill), odd func(error)) error {
	for ctx.Err() == nil {
		ready, err := r.wait()
		if err != nil {
			return err
		}
		if !ready {
			continue
		}
		kills, bad, err := r.read()
		for _, k := range kills {
			kill(k)
		}
		if bad != nil {
			odd(bad)
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// wait waits until there is something to read, for at most one poll.
func (r *Reader) wait() (bool, error) {
	r.mu.Lock()
	fd := r.fd
	r.mu.Unlock()
	if fd < 0 {
		return false, os.ErrClosed
	}
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, int(poll.Milliseconds()))
	if err != nil && !errors.Is(err, unix.EINTR) {
		return false, fmt.Errorf("wait for the kernel log: %w", err)
	}
	return n > 0, nil
}

// Lost returns how often records were overwritten before they were read.
func (r *Reader) Lost() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lost
}

// Close closes the log. It may be called more than once; a Run ends within a
// second.
func (r *Reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fd < 0 {
		return nil
	}
	err := unix.Close(r.fd)
	r.fd = -1
	return err
}
