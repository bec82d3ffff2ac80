package unit

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// record is what the cgroupfs driver keeps of a service on disk, so that the
// next daemon can hold it: NAME.json in the driver's directory.
type record struct {
	Spec       Spec      `json:"spec"`
	PID        int       `json:"pid"`       // 0: it was stopped
	StartTime  string    `json:"startTime"` // of the process, see startTime
	Invocation string    `json:"invocation"`
	Started    time.Time `json:"started"`
	NRestarts  uint32    `json:"nRestarts"`  // by the driver itself, since the last start that was asked for
	Restarting bool      `json:"restarting"` // it is being stopped to be started again
}

const recordMax = 1 << 20 // bytes; a record has an environment at most

func recordPath(dir, name string) string { return filepath.Join(dir, name+".json") }

func readRecord(path string) (r record, err error) {
	fi, err := os.Stat(path)
	if err != nil {
		return r, err
	}
	if fi.Size() > recordMax {
		return r, fmt.Errorf("%s: %d bytes are no record of a service", path, fi.Size())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return record{}, fmt.Errorf("%s: %w", path, err)
	}
	name, err := Name(r.Spec.Name)
	if err == nil {
		err = r.Spec.validate()
	}
	if err == nil && recordPath(filepath.Dir(path), name) != path {
		err = fmt.Errorf("it is of %s", name)
	}
	if err != nil {
		return record{}, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// write replaces the record; a crash leaves the old or the new one. Its
// environment may hold secrets: only the owner reads it.
func (r record) write(path string) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".record-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
