package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/memsup/memsup/internal/engine"
	"github.com/memsup/memsup/internal/service"
)

const (
	name = "state.json"
	// maxSize bounds what is read: some 2 KiB a service are expected.
	maxSize = 64 << 20
)

// Saved is the content of the file.
type Saved struct {
	Version int             `json:"version"` // of the engine's state
	BootID  string          `json:"bootId"`  // /proc/sys/kernel/random/boot_id
	At      service.Instant `json:"at"`
	Engine  *engine.State   `json:"engine"`
}

// SetAside says that the file could not be used and where it is now.
type SetAside struct {
	Path  string
	Cause error
}

func (e *SetAside) Error() string {
	return fmt.Sprintf("state file not usable, kept as %s: %v", e.Path, e.Cause)
}

func (e *SetAside) Unwrap() error { return e.Cause }

// Load reads the file in dir. A file that does not exist gives an empty state.
// One that is corrupt or newer gives an empty state and a [*SetAside]. Any other
// error (a directory that cannot be read) comes with no state.
func Load(dir string) (*Saved, error) {
	path := filepath.Join(dir, name)
	b, err := read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return empty(), nil
	case err != nil:
		return nil, fmt.Errorf("load state: %w", err)
	}
	s, err := decode(b)
	if err == nil {
		return s, nil
	}
	aside := fmt.Sprintf("%s.unusable-%s", path, time.Now().UTC().Format("20060102T150405.000000000"))
	if rerr := os.Rename(path, aside); rerr != nil {
		return nil, fmt.Errorf("set state file aside: %w (it is not usable: %w)", rerr, err)
	}
	return empty(), &SetAside{Path: aside, Cause: err}
}

func empty() *Saved { return &Saved{Version: engine.Version, Engine: engine.New()} }

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	return io.ReadAll(io.LimitReader(f, maxSize+1))
}

func decode(b []byte) (*Saved, error) {
	if len(b) > maxSize {
		return nil, fmt.Errorf("larger than %d bytes", maxSize)
	}
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, fmt.Errorf("corrupt: %w", err)
	}
	if head.Version != engine.Version {
		return nil, fmt.Errorf("version %d, and this memsupd reads version %d", head.Version, engine.Version)
	}
	var s Saved
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("corrupt: %w", err)
	}
	if s.Engine == nil || s.Engine.Services == nil {
		return nil, errors.New("corrupt: no services")
	}
	for n, svc := range s.Engine.Services {
		if svc == nil || service.CheckName(n) != nil {
			return nil, fmt.Errorf("corrupt: service %.70q", n)
		}
		for rule, a := range svc.Alerts.Firing {
			if a == nil || a.Rule != rule {
				return nil, fmt.Errorf("corrupt: service %s: alert %.70q", n, rule)
			}
		}
	}
	return &s, nil
}

// save replaces the file in dir.
func save(dir string, b []byte) (err error) {
	f, err := os.CreateTemp(dir, "."+name+".*")
	if err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, name))
	}
	if err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	serr := d.Sync()
	if cerr := d.Close(); serr == nil {
		serr = cerr
	}
	if serr != nil {
		return fmt.Errorf("save state: sync directory: %w", serr)
	}
	return nil
}

// sweep removes temporary files that a killed daemon left.
func sweep(dir string) error {
	left, err := os.ReadDir(dir)
	for _, f := range left {
		if strings.HasPrefix(f.Name(), "."+name+".") {
			err = errors.Join(err, os.Remove(filepath.Join(dir, f.Name())))
		}
	}
	if err != nil {
		return fmt.Errorf("sweep state directory: %w", err)
	}
	return nil
}
