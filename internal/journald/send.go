package journald

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/journal"
	"golang.org/x/sys/unix"
)

const (
	socketPath = "/run/systemd/journal/socket"
	// patience is how long an entry waits for a journal that takes none.
	patience = time.Second
)

// socket is where the journal listens. go-systemd's journal.Send is not used for it:
// an entry waits there for as long as the journal reads nothing, and whoever logs with
// it: a request, a reload, the end. The journal is starved when memory is short, which
// is when memsupd has things to do.
type socket struct {
	path     string
	patience time.Duration
}

// send sends one entry, in at most some patience.
func (s socket) send(message string, p journal.Priority, vars map[string]string) (err error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	limit := unix.NsecToTimeval(s.patience.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit); err != nil {
		return fmt.Errorf("limit the wait: %w", err)
	}
	b := appendField(nil, "PRIORITY", strconv.Itoa(int(p)))
	b = appendField(b, "MESSAGE", message)
	for name, value := range vars {
		b = appendField(b, name, value)
	}
	err = s.put(fd, b, nil)
	if errors.Is(err, unix.EMSGSIZE) || errors.Is(err, unix.ENOBUFS) {
		err = s.putFile(fd, b)
	}
	if errors.Is(err, unix.EAGAIN) {
		err = fmt.Errorf("it took nothing for %v: see systemctl status systemd-journald: %w", s.patience, err)
	}
	return err
}

func (s socket) put(fd int, b, rights []byte) error {
	end := time.Now().Add(s.patience)
	for {
		err := unix.Sendmsg(fd, b, rights, &unix.SockaddrUnix{Name: s.path}, unix.MSG_NOSIGNAL)
		if err != unix.EINTR || time.Now().After(end) {
			return err
		}
	}
}

// putFile sends what is too long for a datagram as a sealed file.
func (s socket) putFile(fd int, b []byte) (err error) {
	file, err := unix.MemfdCreate("journal-entry", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return fmt.Errorf("file for a long entry: %w", err)
	}
	defer func() { err = errors.Join(err, unix.Close(file)) }()
	for len(b) > 0 {
		n, err := unix.Write(file, b)
		if err != nil && err != unix.EINTR {
			return fmt.Errorf("write a long entry: %w", err)
		}
		b = b[max(n, 0):]
	}
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(uintptr(file), unix.F_ADD_SEALS, seals); err != nil {
		return fmt.Errorf("seal a long entry: %w", err)
	}
	return s.put(fd, nil, unix.UnixRights(file))
}

// appendField appends a field in the journal's native format
// (https://systemd.io/JOURNAL_NATIVE_PROTOCOL): NAME=value, or where the value has a
// line break NAME, the length in 64 bits and the value.
func appendField(b []byte, name, value string) []byte {
	b = append(b, name...)
	if strings.Contains(value, "\n") {
		b = append(b, '\n')
		b = binary.LittleEndian.AppendUint64(b, uint64(len(value)))
	} else {
		b = append(b, '=')
	}
	return append(append(b, value...), '\n')
}
