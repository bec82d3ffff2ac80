package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails when a test leaves a goroutine or a descriptor behind.
func TestMain(m *testing.M) {
	if child != nil && child() {
		return
	}
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

// child runs what a test started this binary again for, if it did; set by the
// tests that need processes in a real cgroup.
var child func() bool

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

// kernels are the trees of testdata.
var kernels = []string{"linux-5.15", "linux-6.1", "linux-6.12"}

const apiServer = "/memsup.slice/walmart-api-server.service"

// plant copies a cgroup directory of testdata to path below a new root.
func plant(tb testing.TB, kernel, path string) (root string) {
	tb.Helper()
	root = tb.TempDir()
	plantAt(tb, root, kernel, path)
	return root
}

func plantAt(tb testing.TB, root, kernel, path string) {
	tb.Helper()
	if err := os.CopyFS(filepath.Join(root, path), os.DirFS(filepath.Join("testdata", kernel))); err != nil {
		tb.Fatal(err)
	}
}

// set is what the kernel does between two reads.
func set(tb testing.TB, root, path, file, content string) {
	tb.Helper()
	if err := os.WriteFile(filepath.Join(root, path, file), []byte(content), 0o644); err != nil {
		tb.Fatal(err)
	}
}

func get(tb testing.TB, root, path, file string) string {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join(root, path, file))
	if err != nil {
		tb.Fatal(err)
	}
	return strings.TrimSuffix(string(b), "\n")
}

func drop(tb testing.TB, root, path string) {
	tb.Helper()
	if err := os.RemoveAll(filepath.Join(root, path)); err != nil {
		tb.Fatal(err)
	}
}

func openGroup(tb testing.TB, root, path string, opts ...Option) *Group {
	tb.Helper()
	g, err := Open(root, path, opts...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := g.Close(); err != nil {
			tb.Error(err)
		}
	})
	return g
}

// overwrite replaces a file's content by one of the same length in one write, so
// that no reader sees half of it.
func overwrite(tb testing.TB, root, path, file, content string) {
	tb.Helper()
	f, err := os.OpenFile(filepath.Join(root, path, file), os.O_WRONLY, 0)
	if err != nil {
		tb.Fatal(err)
	}
	_, err = f.WriteString(content)
	if err := errors.Join(err, f.Close()); err != nil {
		tb.Fatal(err)
	}
}
