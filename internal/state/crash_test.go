package state

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// written puts a state into dir and returns the file's content.
func written(t *testing.T, dir string) string {
	t.Helper()
	w, err := NewWriter(dir, "boot-1")
	if err != nil {
		t.Fatal(err)
	}
	ticket, err := w.Put(at, sample())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Durable(context.Background(), ticket), w.Close()); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func entries(t *testing.T, dir string) string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

// A kill leaves the temporary file at any length, beside the old file or none.
func TestKilledWhileWriting(t *testing.T) {
	whole := written(t, t.TempDir())
	for _, tc := range []struct {
		name, old, temporary string
		services             int
	}{
		{"nothing written, no old file", "", "", 0},
		{"all written, no old file", "", whole, 0},
		{"nothing written", whole, "", 1},
		{"half written", whole, whole[:len(whole)/2], 1},
		{"all written, not renamed", whole, strings.Replace(whole, "api", "web", 1), 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "odd[name")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if tc.old != "" {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(tc.old), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(filepath.Join(dir, "."+name+".1"), []byte(tc.temporary), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := Load(dir)
			if err != nil || len(got.Engine.Services) != tc.services || got.Engine.Services["web"] != nil {
				t.Fatalf("got %+v, %v", got, err)
			}
			if written(t, dir); entries(t, dir) != name {
				t.Errorf("left: %s", entries(t, dir))
			}
		})
	}
}

// A disk that is full cuts a write short; a limit on the size of files does too.
func TestFullDiskKeepsTheOldFile(t *testing.T) {
	dir := t.TempDir()
	old := written(t, dir)
	signal.Ignore(unix.SIGXFSZ)
	defer signal.Reset(unix.SIGXFSZ)
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	full := was
	full.Cur = uint64(len(old) / 2)
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &full); err != nil {
		t.Fatal(err)
	}
	err := save(dir, []byte(old))
	if rerr := unix.Setrlimit(unix.RLIMIT_FSIZE, &was); rerr != nil {
		t.Fatal(rerr)
	}
	if !errors.Is(err, unix.EFBIG) {
		t.Errorf("a write that was cut short: %v", err)
	}
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil || string(b) != old || entries(t, dir) != name {
		t.Errorf("the old file is %q, %v; in the directory: %s", b, err, entries(t, dir))
	}
}

func TestLeftoverThatCannotBeRemovedIsToldAndNoObstacle(t *testing.T) {
	dir := t.TempDir()
	left := filepath.Join(dir, "."+name+".1", "x") // a directory that is not empty
	if err := os.MkdirAll(left, 0o700); err != nil {
		t.Fatal(err)
	}
	w, err := NewWriter(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	if w.Err() == nil {
		t.Error("nothing is said of it")
	}
	ticket, err := w.Put(at, sample())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Durable(context.Background(), ticket), w.Err(), w.Close()); err != nil {
		t.Error(err)
	}
	if err := w.Durable(context.Background(), ticket); err != nil {
		t.Errorf("closed, and what was written before is: %v", err)
	}
	if err := w.Durable(context.Background(), ticket+1); !errors.Is(err, ErrClosed) {
		t.Errorf("closed, and what was never put is: %v", err)
	}
}

func TestWriterWantsItsDirectory(t *testing.T) {
	if _, err := NewWriter(filepath.Join(t.TempDir(), "none"), ""); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
