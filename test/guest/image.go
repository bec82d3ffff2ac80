package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// buildTimeout bounds an image build; a slow mirror takes a few minutes.
const buildTimeout = 20 * time.Minute

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
	building, err := lockFile(filepath.Join(cache, suite+".lock"), unix.LOCK_EX)
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

func lockFile(path string, how int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), how); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	return f, nil
}

// buildImage builds beside dir and renames, so that dir is complete or absent.
// The caller holds the suite's lock.
func buildImage(ctx context.Context, cache, suite, dir string, log io.Writer) error {
	if os.Geteuid() != 0 {
		return errors.New("build image: needs root; run `guest image` once with sudo -E")
	}
	for _, tool := range []string{"mmdebstrap", "mke2fs", "busybox", "cpio"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("build image: %w: run scripts/setup", err)
		}
	}
	source, err := aptSource("/etc", suite)
	if err != nil {
		return fmt.Errorf("build image: %w", err)
	}
	tmp := filepath.Join(cache, suite+".tmp")
	if err := os.RemoveAll(tmp); err != nil { // what an interrupted build left
		return fmt.Errorf("build image: %w", err)
	}
	defer os.RemoveAll(tmp) //nolint:errcheck // the next build starts with it
	if err := os.Mkdir(tmp, 0o755); err != nil {
		return fmt.Errorf("build image: %w", err)
	}
	if err := writeRecipe(tmp); err != nil {
		return fmt.Errorf("build image: %w", err)
	}

	fmt.Fprintf(log, "guest: building the %s image, once (about a minute)\n", suite)
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, buildTimeout)
	defer cancel()
	out := filepath.Join(tmp, "image")
	if err := os.Mkdir(out, 0o755); err != nil {
		return fmt.Errorf("build image: %w", err)
	}
	said := newTail(8 << 10)
	build := exec.CommandContext(ctx, "bash", filepath.Join(tmp, "recipe", "build.sh"), suite, out, source)
	build.Stdout, build.Stderr = said, said
	build.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	build.Cancel = func() error { return unix.Kill(-build.Process.Pid, unix.SIGTERM) }
	build.WaitDelay = 10 * time.Second
	if err := build.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return fmt.Errorf("build image: %w\n%s", err, said)
	}
	if err := os.Rename(out, dir); err != nil {
		return fmt.Errorf("build image: %w", err)
	}
	fmt.Fprintf(log, "guest: built in %v: %s\n", time.Since(start).Round(time.Second), dir)
	return nil
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
		if err := removeUnused(dir); err != nil {
			return fmt.Errorf("remove old image: %w", err)
		}
	}
	return nil
}

func removeUnused(dir string) error {
	disk, err := os.Open(filepath.Join(dir, "disk.img"))
	if err == nil {
		defer disk.Close() //nolint:errcheck // opened for the lock
		if err := unix.Flock(int(disk.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			if errors.Is(err, unix.EWOULDBLOCK) {
				return nil
			}
			return err
		}
	}
	return os.RemoveAll(dir)
}
