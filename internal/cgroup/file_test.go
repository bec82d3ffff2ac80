package cgroup

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// packets is a descriptor that hands out its content a piece at a time and then
// ends, as the kernel does with a list such as cgroup.procs.
func packets(t *testing.T, pieces ...string) int {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Close(fds[0]); err != nil {
			t.Error(err)
		}
	})
	for _, piece := range pieces {
		if _, err := unix.Write(fds[1], []byte(piece)); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Close(fds[1]); err != nil {
		t.Fatal(err)
	}
	return fds[0]
}

func TestDrainReadsEveryPage(t *testing.T) {
	var pages []string
	var all strings.Builder
	for page := range 5 {
		var b strings.Builder
		for pid := range 512 { // of 8 bytes: a page
			fmt.Fprintln(&b, 1_000_000+page*512+pid)
		}
		pages = append(pages, b.String())
		all.WriteString(b.String())
	}
	buf := make([]byte, bufferSize)
	b, err := drain(packets(t, pages...), &buf)
	if err != nil || string(b) != all.String() {
		t.Errorf("%d bytes of %d, %v", len(b), all.Len(), err)
	}
	if pids, err := parseProcs(nil, b); err != nil || len(pids) != 2560 {
		t.Errorf("%d PIDs, %v", len(pids), err)
	}
}
