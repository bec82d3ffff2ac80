package main

import (
	"archive/tar"
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func archive(t testing.TB, headers ...tar.Header) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
	for _, header := range headers {
		if header.Typeflag == tar.TypeReg {
			header.Size = 4
		}
		if err := tw.WriteHeader(&header); err != nil {
			t.Fatal(err)
		}
		if header.Typeflag == tar.TypeReg {
			if _, err := io.WriteString(tw, "data"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

func TestUnpackBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new/out")
	b := archive(t,
		tar.Header{Typeflag: tar.TypeDir, Name: "./", Mode: 0o755},
		tar.Header{Typeflag: tar.TypeReg, Name: "./log", Mode: 0o600},
		tar.Header{Typeflag: tar.TypeReg, Name: "./log", Mode: 0o600}, // tar may repeat a name
		tar.Header{Typeflag: tar.TypeDir, Name: "./bin/", Mode: 0},
		tar.Header{Typeflag: tar.TypeReg, Name: "./bin/tool", Mode: 0o4777},
	)
	if err := unpackBack(b, dir); err != nil {
		t.Fatal(err)
	}
	got := map[string]fs.FileMode{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			info, infoErr := entry.Info()
			got[strings.TrimPrefix(path, dir)], err = info.Mode(), infoErr
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]fs.FileMode{"/log": 0o644, "/bin/tool": 0o755}, got); diff != "" {
		t.Error(diff)
	}
}

func TestUnpackBackRefuses(t *testing.T) {
	for name, headers := range map[string][]tar.Header{
		"parent":        {{Typeflag: tar.TypeReg, Name: "../victim"}},
		"hidden parent": {{Typeflag: tar.TypeReg, Name: "a/../../victim"}},
		"absolute":      {{Typeflag: tar.TypeReg, Name: "/victim"}},
		"symbolic link": {{Typeflag: tar.TypeSymlink, Name: "l", Linkname: ".."}, {Typeflag: tar.TypeReg, Name: "l/victim"}},
		"hard link":     {{Typeflag: tar.TypeLink, Name: "l", Linkname: "../victim"}},
		"device":        {{Typeflag: tar.TypeChar, Name: "null"}},
		"old link":      {{Typeflag: tar.TypeReg, Name: "planted/victim"}},
	} {
		t.Run(name, func(t *testing.T) {
			top := t.TempDir()
			dir := filepath.Join(top, "out")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("..", filepath.Join(dir, "planted")); err != nil {
				t.Fatal(err)
			}
			if err := unpackBack(archive(t, headers...), dir); err == nil {
				t.Error("was taken")
			}
			if _, err := os.Lstat(filepath.Join(top, "victim")); !os.IsNotExist(err) {
				t.Errorf("wrote outside: %v", err)
			}
		})
	}
}

func TestUnpackBackBounds(t *testing.T) {
	var b bytes.Buffer
	if err := tar.NewWriter(&b).WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "huge", Size: maxBackBytes + 1}); err != nil {
		t.Fatal(err)
	}
	if err := unpackBack(&b, t.TempDir()); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("a huge file: %v", err)
	}
	cut := archive(t, tar.Header{Typeflag: tar.TypeReg, Name: "cut"})
	cut.Truncate(514)
	if err := unpackBack(cut, t.TempDir()); err == nil {
		t.Error("a truncated tar was taken")
	}
}

func FuzzUnpackBack(f *testing.F) {
	f.Add(archive(f, tar.Header{Typeflag: tar.TypeDir, Name: "./d/"}, tar.Header{Typeflag: tar.TypeReg, Name: "./d/f"}).Bytes())
	f.Add(archive(f, tar.Header{Typeflag: tar.TypeReg, Name: "../f"}).Bytes())
	f.Fuzz(func(t *testing.T, content []byte) {
		if len(content) > 64<<10 {
			return
		}
		top := t.TempDir()
		_ = unpackBack(bytes.NewReader(content), filepath.Join(top, "out"))
		left, err := os.ReadDir(top)
		if err != nil || len(left) > 1 {
			t.Errorf("outside of the directory: %v, %v", left, err)
		}
	})
}
