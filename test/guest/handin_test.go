package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// entries reads a tar back: name (with its mode and link) to content.
func entries(t *testing.T, r io.Reader) map[string]string {
	t.Helper()
	got := map[string]string{}
	for tr := tar.NewReader(r); ; {
		header, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		if header.Uid != 0 || header.Gid != 0 {
			t.Errorf("%s belongs to %d:%d", header.Name, header.Uid, header.Gid)
		}
		name := header.FileInfo().Mode().String() + " " + header.Name
		if header.Linkname != "" {
			name += " -> " + header.Linkname
		}
		got[name] = string(content)
	}
}

func TestWriteIn(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "tree/sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	write("tree/sub/data", 0o644)
	write("program", 0o755)
	if err := os.Symlink("sub/data", filepath.Join(dir, "tree/link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("program", filepath.Join(dir, "alias")); err != nil {
		t.Fatal(err)
	}

	opt := options{
		argv: []string{"sh", "-c", "two words\n"}, out: "somewhere", swap: 64,
		in:       []string{dir + "/tree", dir + "/program:bin/memsupd", dir + "/alias"},
		forwards: forwards{{"127.0.0.1", 1, 3007}, {"127.0.0.1", 2, 80}},
	}
	var b bytes.Buffer
	if err := writeIn(&b, opt, []string{"A=b c"}); err != nil {
		t.Fatal(err)
	}
	if b.Len()%512 != 0 {
		t.Errorf("%d bytes are not whole sectors", b.Len())
	}
	want := map[string]string{
		"drwxr-xr-x meta/": "", "drwxr-xr-x in/": "",
		"-rw-r--r-- meta/argv":  "sh\x00-c\x00two words\n\x00",
		"-rw-r--r-- meta/env":   "A=b c\x00",
		"-rw-r--r-- meta/ports": "3007\x0080\x00",
		"-rw-r--r-- meta/out":   "", "-rw-r--r-- meta/swap": "",
		"drwxr-xr-x in/tree":                  "",
		"drwxr-xr-x in/tree/sub":              "",
		"-rw-r--r-- in/tree/sub/data":         "tree/sub/data",
		"Lrwxrwxrwx in/tree/link -> sub/data": "",
		"-rwxr-xr-x in/bin/memsupd":           "program",
		"-rwxr-xr-x in/alias":                 "program",
	}
	if diff := cmp.Diff(want, entries(t, &b)); diff != "" {
		t.Error(diff)
	}
}

func TestWriteInMissing(t *testing.T) {
	err := writeIn(io.Discard, options{in: []string{filepath.Join(t.TempDir(), "none")}}, nil)
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want %v", err, os.ErrNotExist)
	}
}

func TestSplitIn(t *testing.T) {
	for _, test := range []struct{ spec, source, name string }{
		{"bin/memsupd", "bin/memsupd", "memsupd"},
		{"testdata/", "testdata/", "testdata"},
		{"dir:.", "dir", "."},
		{"a:b/c", "a", "b/c"},
	} {
		source, name, err := splitIn(test.spec)
		if err != nil || source != test.source || name != test.name {
			t.Errorf("splitIn(%q) = %q, %q, %v", test.spec, source, name, err)
		}
	}
	for _, bad := range []string{"", ":x", "a:", "a:/etc", "a:../b"} {
		if _, _, err := splitIn(bad); err == nil {
			t.Errorf("splitIn(%q) was taken", bad)
		}
	}
}
