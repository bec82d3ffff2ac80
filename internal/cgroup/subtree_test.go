package cgroup

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/memsup/memsup/internal/feature"
)

// delegated plants a subtree, which on a fake tree has the memory files of its
// future children (the kernel makes those).
func delegated(t *testing.T) (root string, s Subtree) {
	t.Helper()
	root = plant(t, "linux-6.12", "/memsup.service")
	set(t, root, "/memsup.service", "cgroup.procs", "")
	s, err := NewSubtree(root, "/memsup.service")
	if err != nil {
		t.Fatal(err)
	}
	return root, s
}

func TestCreateEnablesControllersInTheSubtreeOnly(t *testing.T) {
	root, s := delegated(t)
	set(t, root, "/", "cgroup.subtree_control", "")
	plantAt(t, root, "linux-6.12", "/memsup.service/api-server")
	g, err := s.Create("api-server")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	}()
	if g.Path() != "/memsup.service/api-server" {
		t.Errorf("path %q", g.Path())
	}
	// A regular file keeps the last write's bytes at its start.
	if got := get(t, root, "/memsup.service", "cgroup.subtree_control"); !strings.HasPrefix(got, "+pids") {
		t.Errorf("subtree_control %q", got)
	}
	if got := get(t, root, "/", "cgroup.subtree_control"); got != "" {
		t.Errorf("an ancestor's subtree_control was written: %q", got)
	}
}

func TestCreateWithoutDelegation(t *testing.T) {
	root, s := delegated(t)
	drop(t, root, "/memsup.service/cgroup.subtree_control") // ENOENT, as a write has without the controller
	var missing *feature.Error
	if g, err := s.Create("api-server"); !errors.As(err, &missing) || !strings.Contains(missing.Fix, "Delegate=") {
		t.Errorf("got %v, %v; want a feature error", g, err)
	}
	if _, err := os.Stat(filepath.Join(root, "memsup.service/api-server")); err == nil {
		t.Error("the group was left behind")
	}
	gone, err := NewSubtree(root, "/other.service")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := gone.Create("x"); !errors.Is(err, ErrGone) {
		t.Errorf("no subtree: %v, want ErrGone", err)
	}
}

func TestDelete(t *testing.T) {
	root, s := delegated(t)
	plantAt(t, root, "linux-6.12", "/memsup.service/api-server")
	if err := s.Delete("api-server"); err == nil {
		t.Error("deleted with processes in it")
	}
	set(t, root, "/memsup.service/api-server", "cgroup.procs", "")
	for range 2 {
		if err := s.Delete("api-server"); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Join(root, "memsup.service/api-server")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("still there: %v", err)
	}
}

func TestDeleteTouchesCgroupsOnly(t *testing.T) {
	root, s := delegated(t)
	precious := filepath.Join(root, "memsup.service/data")
	if err := os.Mkdir(precious, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete("data"); err == nil {
		t.Error("deleted a directory that is no cgroup")
	}
	if _, err := os.Stat(precious); err != nil {
		t.Error(err)
	}
}

func TestNames(t *testing.T) {
	_, s := delegated(t)
	for _, name := range []string{"", ".", "..", "a/b", "../x", "cgroup.procs", "memory.max", "a\nb", strings.Repeat("x", 256)} {
		if g, err := s.Create(name); err == nil {
			t.Errorf("Create(%q): %v", name, g)
		}
		if err := s.Delete(name); err == nil {
			t.Errorf("Delete(%q) did not fail", name)
		}
		if err := s.Vacate(name); err == nil {
			t.Errorf("Vacate(%q) did not fail", name)
		}
	}
	for _, path := range []string{"", "x", "/x/..", "/x/"} {
		if _, err := NewSubtree("/sys/fs/cgroup", path); err == nil {
			t.Errorf("NewSubtree(%q) did not fail", path)
		}
	}
}

func TestVacate(t *testing.T) {
	root, s := delegated(t)
	if err := s.Vacate("memsupd"); err != nil { // nobody in it: makes the leaf
		t.Fatal(err)
	}
	if err := s.Vacate("memsupd"); err != nil {
		t.Errorf("again: %v", err)
	}
	// On a fake tree the process stays where it is, which looks like a fork bomb.
	set(t, root, "/memsup.service", "cgroup.procs", "4242\n")
	set(t, root, "/memsup.service/memsupd", "cgroup.procs", "")
	if err := s.Vacate("memsupd"); err == nil || !strings.Contains(err.Error(), "keep appearing") {
		t.Errorf("%v, want it to give up", err)
	}
	if got := get(t, root, "/memsup.service/memsupd", "cgroup.procs"); got != "4242" {
		t.Errorf("the leaf got %q", got)
	}
}
