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

// kernels are the trees of testdata.
var kernels = []string{"linux-5.15", "linux-6.1", "linux-6.12"}

const apiServer = "/memsup.slice/walmart-api-server.service"

// plant copies a cgroup directory of testdata to path below a new root.
func plant(t testing.TB, kernel, path string) (root string) {
	t.Helper()
	root = t.TempDir()
	plantAt(t, root, kernel, path)
	return root
}

func plantAt(t testing.TB, root, kernel, path string) {
	t.Helper()
	if err := os.CopyFS(filepath.Join(root, path), os.DirFS(filepath.Join("testdata", kernel))); err != nil {
		t.Fatal(err)
	}
}

// set is what the kernel does between two reads.
func set(t testing.TB, root, path, file, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(root, path, file), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func get(t testing.TB, root, path, file string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, path, file))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(string(b), "\n")
}

func drop(t testing.TB, root, path string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(root, path)); err != nil {
		t.Fatal(err)
	}
}

func openGroup(t testing.TB, root, path string, opts ...Option) *Group {
	t.Helper()
	g, err := Open(root, path, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// overwrite replaces a file's content by one of the same length in one write, so
// that no reader sees half of it.
func overwrite(t testing.TB, root, path, file, content string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(root, path, file), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(content)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}
