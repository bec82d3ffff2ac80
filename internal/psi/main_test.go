package psi

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails when a test leaves a goroutine or a descriptor behind.
func TestMain(m *testing.M) {
	startNetpoller()
	before := descriptors()
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, "leaked goroutines:", err)
			code = 1
		}
		for fd, file := range descriptors() {
			if _, ok := before[fd]; !ok {
				fmt.Fprintf(os.Stderr, "leaked descriptor %s: %s\n", fd, file)
				code = 1
			}
		}
	}
	os.Exit(code)
}

// startNetpoller makes Go open its own epoll and eventfd, which stay open.
func startNetpoller() {
	r, w, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	if err := r.Close(); err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
}

// descriptors returns what this process has open, but for the directory that it
// reads to find out.
func descriptors() map[string]string {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		panic(err)
	}
	open := make(map[string]string)
	for _, e := range entries {
		if file, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
			open[e.Name()] = file
		}
	}
	return open
}
