package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// image is a built guest: dir holds vmlinuz, initrd and disk.img, none of
// which is ever written to. While it is open it is not removed.
type image struct {
	dir  string
	lock *os.File
}

func (i *image) Close() error { return i.lock.Close() }

func (i *image) path(name string) string { return filepath.Join(i.dir, name) }

// cacheRoot is where images and probe results live.
func cacheRoot() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find cache directory: %w", err)
	}
	dir := filepath.Join(base, "memsup", "guest")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make cache directory: %w", err)
	}
	return dir, nil
}

// openImage returns the image of suite, building it first if the cache has no
// image of the present recipe. Progress goes to log.
func openImage(ctx context.Context, suite string, log io.Writer) (*image, error) {
	if !slices.Contains(suites, suite) {
		return nil, fmt.Errorf("suite %q: want one of %s", suite, strings.Join(suites, ", "))
	}
	if runtime.GOARCH != "amd64" {
		return nil, fmt.Errorf("architecture %s: the guest is made for amd64 only; run the tests natively on a cgroup v2 host", runtime.GOARCH)
	}
	cache, err := cacheRoot()
	if err != nil {
		return nil, err
	}
	hash, err := recipeHash(recipeFiles, suite, runtime.GOARCH)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(cache, suite+"-"+hash)
	if img, err := lockImage(dir); err == nil {
		return img, nil
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}

	// One build of a suite at a time; who waited finds it done.
	building, err := lockFile(filepath.Join(cache, suite+".lock"))
	if err != nil {
		return nil, err
	}
	defer building.Close() //nolint:errcheck // a lock file
	if img, err := lockImage(dir); err == nil {
		return img, nil
	}
	if err := buildImage(ctx, cache, suite, dir, log); err != nil {
		return nil, err
	}
	if err := removeOld(cache, suite, dir); err != nil {
		fmt.Fprintf(log, "guest: %v\n", err)
	}
	return lockImage(dir)
}

// lockImage opens the image at dir; os.ErrNotExist if there is none.
func lockImage(dir string) (*image, error) {
	lock, err := os.Open(filepath.Join(dir, "disk.img"))
	if err != nil {
		return nil, fmt.Errorf("open image: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_SH); err != nil {
		return nil, errors.Join(fmt.Errorf("lock image %s: %w", dir, err), lock.Close())
	}
	return &image{dir: dir, lock: lock}, nil
}

// lockFile waits until nobody else has path locked.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	return f, nil
}

// removeOld removes the suite's images of other recipes that nobody has open.
func removeOld(cache, suite, keep string) error {
	dirs, err := filepath.Glob(filepath.Join(cache, suite+"-*"))
	if err != nil {
		return fmt.Errorf("remove old images: %w", err)
	}
	for _, dir := range dirs {
		if dir == keep {
			continue
		}
		if err := removeUnused(dir, "disk.img"); err != nil {
			return fmt.Errorf("remove old image: %w", err)
		}
	}
	return nil
}
