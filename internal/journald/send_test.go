package journald

import (
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/journal"
	"golang.org/x/sys/unix"
)

// listen is a journal's socket that nobody reads unless the test does.
func listen(t *testing.T) (*net.UnixConn, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "socket")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, path
}

func TestEntryOnTheWire(t *testing.T) {
	c, path := listen(t)
	s := socket{path: path, patience: time.Minute}
	if err := s.send("two\nlines", journal.PriWarning, map[string]string{"MEMSUP_SERVICE": "api"}); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1<<10)
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	want := "PRIORITY=4\nMESSAGE\n\x09\x00\x00\x00\x00\x00\x00\x00two\nlines\nMEMSUP_SERVICE=api\n"
	if string(b[:n]) != want {
		t.Errorf("got  %q\nwant %q", b[:n], want)
	}
}

func TestLongEntryGoesAsAFile(t *testing.T) {
	c, path := listen(t)
	s := socket{path: path, patience: time.Minute}
	long := strings.Repeat("x", 4<<20)
	if err := s.send(long, journal.PriInfo, nil); err != nil {
		t.Fatal(err)
	}
	rights := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := c.ReadMsgUnix(nil, rights)
	if err != nil {
		t.Fatal(err)
	}
	messages, err := unix.ParseSocketControlMessage(rights[:n])
	if err != nil || len(messages) != 1 {
		t.Fatalf("%d messages, %v", len(messages), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		t.Fatalf("descriptors %v, %v", fds, err)
	}
	defer unix.Close(fds[0])
	var st unix.Stat_t
	if err := unix.Fstat(fds[0], &st); err != nil || st.Size != int64(len("PRIORITY=6\nMESSAGE=\n")+len(long)) {
		t.Errorf("size %d, %v", st.Size, err)
	}
	if seals, err := unix.FcntlInt(uintptr(fds[0]), unix.F_GET_SEALS, 0); err != nil || seals&unix.F_SEAL_WRITE == 0 {
		t.Errorf("seals %x, %v", seals, err)
	}
}

// fill is what others do who log a lot: it sends until the queue takes no more, from
// as many sockets as that takes, since each may only have so much in it.
func fill(t *testing.T, path string) {
	t.Helper()
	for sent := 1; sent > 0; {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		for sent = 0; err == nil; sent++ {
			err = unix.Sendto(fd, []byte("MESSAGE=x\n"), 0, &unix.SockaddrUnix{Name: path})
		}
		sent-- // the one that failed
		if cerr := unix.Close(fd); !errors.Is(err, unix.EAGAIN) || cerr != nil {
			t.Fatal(err, cerr)
		}
	}
}

func TestFullQueueOfOthersDoesNotHang(t *testing.T) {
	c, path := listen(t)
	fill(t, path)
	if err := (socket{path: path, patience: time.Millisecond}).send("late", journal.PriInfo, nil); !errors.Is(err, unix.EAGAIN) {
		t.Errorf("nobody reads: %v", err)
	}
	sent := make(chan error)
	go func() { sent <- socket{path: path, patience: time.Minute}.send("heard", journal.PriInfo, nil) }()
	for b := make([]byte, 64); ; {
		n, err := c.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b[:n]), "MESSAGE=heard") {
			break
		}
	}
	if err := <-sent; err != nil {
		t.Errorf("room was made: %v", err)
	}
}

func TestNoJournal(t *testing.T) {
	s := socket{path: filepath.Join(t.TempDir(), "none"), patience: time.Minute}
	if err := s.send("x", journal.PriInfo, nil); !errors.Is(err, unix.ENOENT) {
		t.Errorf("got %v", err)
	}
}
