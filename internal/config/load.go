package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	maxSize  = 1 << 20 // of one file
	maxFiles = 100
)

// File is one file of a configuration.
type File struct {
	Name    string
	Content []byte
}

// Load reads the configuration at path, and then memsupd.d/*.yaml beside it in
// the order of their names; what comes later overrides, key by key.
func Load(path string) (Config, error) {
	names, err := dropIns(filepath.Join(filepath.Dir(path), "memsupd.d"))
	if err != nil {
		return Config{}, fmt.Errorf("list configuration drop-ins: %w", err)
	}
	var files []File
	for _, name := range append([]string{path}, names...) {
		content, err := read(name)
		if err != nil {
			return Config{}, fmt.Errorf("read configuration: %w", err)
		}
		files = append(files, File{Name: name, Content: content})
	}
	return Parse(files)
}

// dropIns returns the files of a directory that count, in the order of their names.
// Hidden ones do not: editors leave theirs there while they work.
func dropIns(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if name := e.Name(); strings.HasSuffix(name, ".yaml") && name[0] != '.' {
			names = append(names, filepath.Join(dir, name))
		}
	}
	if len(names) > maxFiles {
		return nil, &Error{File: dir, Problem: fmt.Sprintf("%d files", len(names)), Want: fmt.Sprintf("want at most %d", maxFiles)}
	}
	return names, nil
}

func read(name string) (_ []byte, err error) {
	st, err := os.Stat(name) // before opening it: a FIFO would make us wait
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, &Error{File: name, Problem: "not a regular file"}
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	b, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err == nil && len(b) > maxSize {
		err = &Error{File: name, Problem: "too large", Want: "want at most 1 MiB"}
	}
	return b, err
}

// unitName completes a unit's name and reports whether it can be one's
// (systemd.unit(5)): one instance, not a path, not a glob. It takes nothing that
// package unit would refuse.
func unitName(s string) (string, bool) {
	if !strings.Contains(s, ".") {
		s += ".service"
	}
	base, ok := strings.CutSuffix(s, ".service")
	if !ok || base == "" || len(s) > 255 || strings.HasSuffix(base, "@") || strings.HasPrefix(base, "@") || strings.HasPrefix(base, ".") {
		return "", false
	}
	switch filepath.Ext(base) { // "a.socket.service" is a slip
	case ".automount", ".device", ".mount", ".path", ".scope", ".slice", ".socket", ".swap", ".target", ".timer":
		return "", false
	}
	for _, r := range base {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(`:-_.\@`, r) {
			return "", false
		}
	}
	return s, true
}
