package cgroup

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// FromProc returns the cgroup path of a process, below the root that cgroup2 is
// mounted on, from proc ("/proc"). The error matches fs.ErrNotExist when there is
// no such process, and errors.ErrUnsupported when it is in no cgroup of version 2.
func FromProc(proc string, pid int) (string, error) {
	path, err := fromProc(proc, pid)
	if err != nil {
		return "", fmt.Errorf("cgroup of process %d: %w", pid, err)
	}
	return path, nil
}

func fromProc(proc string, pid int) (string, error) {
	b, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "cgroup"))
	if err != nil {
		return "", err
	}
	return parseProcCgroup(b)
}

// parseProcCgroup parses /proc/PID/cgroup (cgroups(7)), one line a hierarchy:
//
//	4:memory:/user.slice
//	0::/system.slice/walmart-api-server.service
//
// The line of version 2 begins with "0::". The kernel appends " (deleted)" when
// the cgroup was removed with the process still dying in it: ErrGone.
func parseProcCgroup(b []byte) (string, error) {
	for line := range bytes.Lines(b) {
		rest, ok := bytes.CutPrefix(bytes.TrimSuffix(line, []byte("\n")), []byte("0::"))
		if !ok {
			continue
		}
		if bytes.HasSuffix(rest, []byte(" (deleted)")) {
			return "", ErrGone
		}
		path := string(rest)
		if err := CheckPath(path); err != nil {
			return "", err // "/../x": outside of this cgroup namespace
		}
		return path, nil
	}
	return "", fmt.Errorf("no line \"0::\": the process is in no cgroup of version 2: %w", errors.ErrUnsupported)
}
