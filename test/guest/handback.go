package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
)

// Bounds on what a guest may send back.
const (
	maxBackBytes = resultSize
	maxBackFiles = 100_000
)

// unpackBack unpacks a guest's tar below dir. The guest is not trusted: a name
// that leads out of dir is an error, links and special files are refused, and
// size and number are bounded. os.Root keeps links already there from leading
// out.
func unpackBack(r io.Reader, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("bring back: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("bring back: %w", err)
	}
	defer root.Close() //nolint:errcheck // a directory opened to look up names
	left := int64(maxBackBytes)
	tr := tar.NewReader(r)
	for range maxBackFiles {
		header, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("bring back: %w", err)
		}
		name := path.Clean(header.Name)
		if !filepath.IsLocal(name) {
			return fmt.Errorf("bring back: name %q leads out of the directory", header.Name)
		}
		switch header.Typeflag {
		case tar.TypeDir:
			err = root.MkdirAll(name, 0o755)
		case tar.TypeReg:
			if left -= header.Size; left < 0 {
				return fmt.Errorf("bring back: more than %d bytes", int64(maxBackBytes))
			}
			err = unpackFile(root, name, header, tr)
		default:
			return fmt.Errorf("bring back: %s is neither file nor directory (type %q)", name, header.Typeflag)
		}
		if err != nil {
			return fmt.Errorf("bring back %s: %w", name, err)
		}
	}
	return fmt.Errorf("bring back: more than %d files", maxBackFiles)
}

// unpackFile replaces name: removed first, so that neither a link nor another
// name of the same file is written through.
func unpackFile(root *os.Root, name string, header *tar.Header, r io.Reader) error {
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	if err := root.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	mode := os.FileMode(0o644)
	if header.Mode&0o100 != 0 {
		mode = 0o755
	}
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.CopyN(f, r, header.Size)
	return errors.Join(err, f.Close())
}
