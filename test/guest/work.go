package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// work is the directory of one guest's drives. It lies in the cache, not in
// the temporary directory, which may be memory.
type work struct {
	dir  string
	lock *os.File // held while the guest lives
}

// newWork makes a directory below cache, and removes those whose owner was
// killed before it could.
func newWork(cache string) (*work, error) {
	// Nobody sweeps while a directory is made but not locked yet.
	making, err := lockFile(filepath.Join(cache, "work.lock"))
	if err != nil {
		return nil, err
	}
	defer making.Close() //nolint:errcheck // a lock file
	stale, err := filepath.Glob(filepath.Join(cache, "work-*"))
	if err != nil {
		return nil, fmt.Errorf("sweep work directories: %w", err)
	}
	for _, dir := range stale {
		if err := removeUnused(dir, "lock"); err != nil {
			return nil, fmt.Errorf("sweep work directories: %w", err)
		}
	}
	dir, err := os.MkdirTemp(cache, "work-")
	if err != nil {
		return nil, fmt.Errorf("make work directory: %w", err)
	}
	lock, err := lockFile(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, err
	}
	return &work{dir: dir, lock: lock}, nil
}

func (w *work) path(name string) string { return filepath.Join(w.dir, name) }

// Close removes the directory.
func (w *work) Close() error {
	return errors.Join(os.RemoveAll(w.dir), w.lock.Close())
}

// removeUnused removes dir unless somebody has its file of that name locked.
func removeUnused(dir, name string) error {
	f, err := os.Open(filepath.Join(dir, name))
	if errors.Is(err, os.ErrNotExist) {
		return os.RemoveAll(dir)
	}
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // opened for the lock
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return os.RemoveAll(dir)
}
