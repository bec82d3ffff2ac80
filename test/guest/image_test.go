package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestRemoveOld(t *testing.T) {
	cache := t.TempDir()
	for _, name := range []string{"trixie-new", "trixie-old", "trixie-used", "bookworm-old"} {
		if err := os.Mkdir(filepath.Join(cache, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(cache, name, "disk.img"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(cache, "trixie-broken"), 0o755); err != nil {
		t.Fatal(err)
	}
	used, err := lockImage(filepath.Join(cache, "trixie-used"))
	if err != nil {
		t.Fatal(err)
	}
	defer used.Close()
	if err := removeOld(cache, "trixie", filepath.Join(cache, "trixie-new")); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"trixie-new": true, "trixie-used": true, "bookworm-old": true,
		"trixie-old": false, "trixie-broken": false,
	} {
		_, err := os.Stat(filepath.Join(cache, name))
		if there := err == nil; there != want {
			t.Errorf("%s there: %v, want %v", name, there, want)
		}
	}
}

func TestLockImageMissing(t *testing.T) {
	if _, err := lockImage(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want %v", err, os.ErrNotExist)
	}
}

func TestOpenImageSuite(t *testing.T) {
	if _, err := openImage(t.Context(), "sid", os.Stderr); err == nil {
		t.Error("an unknown suite was taken")
	}
}

func TestCollect(t *testing.T) {
	drive := filepath.Join(t.TempDir(), "out.img")
	if err := sparse(drive, resultSize); err != nil {
		t.Fatal(err)
	}
	if _, err := collect(drive, ""); !errors.Is(err, errNoResult) {
		t.Errorf("an untouched drive: %v, want %v", err, errNoResult)
	}
	header := padded("memsup-guest 1\noutcome exited 3\nfiles none\nend\n")
	if err := os.WriteFile(drive, header, 0o644); err != nil {
		t.Fatal(err)
	}
	if code, err := collect(drive, ""); err != nil || code != 3 {
		t.Errorf("collect = %d, %v; want 3", code, err)
	}
}
