package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestWork(t *testing.T) {
	cache := t.TempDir()
	killed := filepath.Join(cache, "work-killed")
	if err := os.Mkdir(killed, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(killed, "lock"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	first, err := newWork(cache)
	if err != nil {
		t.Fatal(err)
	}
	second, err := newWork(cache)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(killed); !os.IsNotExist(err) {
		t.Errorf("what a killed guest left is still there: %v", err)
	}
	if _, err := os.Stat(first.dir); err != nil {
		t.Errorf("the directory of a live guest is gone: %v", err)
	}
	for _, w := range []*work{first, second} {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(w.dir); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", w.dir, err)
		}
	}
}
