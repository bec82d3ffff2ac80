package unit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/memsup/memsup/internal/feature"
)

// process is the main process of a service of the cgroupfs driver, by a
// descriptor (pidfd_open(2)): a number could have come to mean another process.
type process struct {
	pid   int
	fd    *os.File
	child bool          // ours to reap; one that an earlier daemon started is not
	done  chan struct{} // closed when wait has returned, after the two below are set
	over  bool          // it has ended; false when it was let go of
	exit  exit
}

// exit is how a process ended: code and status as in siginfo (waitid(2)).
// known is false for a process that was not our child.
type exit struct {
	code, status int32
	known        bool
}

// spawn starts the service's program inside the cgroup whose directory this
// is: clone3 puts it there before its first instruction, so that no memory is
// ever charged to the daemon.
func spawn(spec Spec, cgroupDir, proc string, env []string, stdout, stderr *os.File) (*process, error) {
	dir, err := os.Open(cgroupDir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }() // only read
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer func() { _ = null.Close() }()
	cred, err := credential(spec.User, spec.Group)
	if err != nil {
		return nil, err
	}
	fd := -1
	p, err := os.StartProcess(spec.Exec[0], spec.Exec, &os.ProcAttr{
		Dir: spec.WorkingDir, Env: env, Files: []*os.File{null, stdout, stderr},
		Sys: &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd()), Setsid: true, Credential: cred, PidFD: &fd},
	})
	if err != nil {
		return nil, err
	}
	pid := p.Pid
	if err := p.Release(); err != nil { // it is waited for by descriptor
		return nil, err
	}
	if fd < 0 {
		return nil, fmt.Errorf("no descriptor for process %d: %w", pid, errors.ErrUnsupported)
	}
	main := newProcess(pid, fd, true)
	// The child has the daemon's adjustment until now; what it forks in this
	// instant keeps that. The number is safe: the child was not reaped yet.
	adj := 0
	if spec.OOMScoreAdj != nil {
		adj = *spec.OOMScoreAdj
	}
	path := filepath.Join(proc, strconv.Itoa(pid), "oom_score_adj")
	if err := os.WriteFile(path, []byte(strconv.Itoa(adj)), 0); err != nil && !errors.Is(err, unix.ESRCH) {
		_ = main.signal(unix.SIGKILL) // whatever it says, the error that matters is this one
		return main, fmt.Errorf("OOM score adjustment %d: %w", adj, err)
	}
	return main, nil
}

// hasClone3 returns a [*feature.Error] where a filter of system calls forbids
// clone3, which kernels have that memsup supports. Arguments of no size are invalid:
// no process comes of the question.
func hasClone3() error {
	_, _, errno := unix.RawSyscall(unix.SYS_CLONE3, 0, 0, 0)
	if errno == unix.ENOSYS || errno == unix.EPERM {
		return &feature.Error{
			Feature: "clone3", Missing: "a seccomp filter forbids it, and services could not be started inside their cgroups: " + errno.Error(),
			Fix: "set RestrictNamespaces=no in memsupd's unit (systemctl edit memsupd), or run the container with --security-opt seccomp=unconfined",
		}
	}
	return nil // EINVAL, as it must be
}

// credential is nil for the daemon's own user.
func credential(name, group string) (*syscall.Credential, error) {
	if name == "" && group == "" {
		return nil, nil
	}
	c := &syscall.Credential{Uid: uint32(os.Getuid()), Gid: uint32(os.Getgid())}
	if name != "" {
		u, err := user.Lookup(name)
		if err != nil {
			return nil, err
		}
		if c.Uid, err = number(u.Uid); err != nil {
			return nil, err
		}
		if c.Gid, err = number(u.Gid); err != nil {
			return nil, err
		}
		ids, err := u.GroupIds()
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			n, err := number(id)
			if err != nil {
				return nil, err
			}
			c.Groups = append(c.Groups, n)
		}
	}
	if group != "" {
		g, err := user.LookupGroup(group)
		if err != nil {
			return nil, err
		}
		if c.Gid, err = number(g.Gid); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func number(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err
}

// adopt takes hold of a process that runs already. started is its start time as
// in /proc/PID/stat, or "" when it is not known. The error matches
// [os.ErrProcessDone] when it is not there any more.
func adopt(proc string, pid int, started string) (*process, error) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if errors.Is(err, unix.ESRCH) {
		return nil, os.ErrProcessDone
	}
	if err != nil {
		return nil, fmt.Errorf("pidfd_open: %w", err)
	}
	// Read after the descriptor is held: the number cannot change hands unseen.
	if now, err := startTime(proc, pid); err != nil || started != "" && now != started {
		return nil, errors.Join(os.ErrProcessDone, unix.Close(fd))
	}
	return newProcess(pid, fd, false), nil
}

func newProcess(pid, fd int, child bool) *process {
	_ = unix.SetNonblock(fd, true) // for the runtime's poller; without it a wait takes a thread
	return &process{pid: pid, fd: os.NewFile(uintptr(fd), "pidfd"), child: child, done: make(chan struct{})}
}

// wait returns when the process has ended, or with false when close was called.
// It must be called once.
func (p *process) wait() bool {
	defer close(p.done)
	raw, err := p.fd.SyscallConn()
	if err != nil {
		return false
	}
	ended := false
	err = raw.Read(func(fd uintptr) bool { // called again whenever the descriptor is readable
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		ended = err == nil && n > 0
		if ended && p.child {
			var info unix.Siginfo
			if unix.Waitid(unix.P_PIDFD, int(fd), &info, unix.WEXITED|unix.WNOHANG, nil) == nil {
				p.exit = exitOf(&info)
			}
		}
		return ended
	})
	p.over = err == nil && ended
	return p.over
}

func (p *process) signal(sig unix.Signal) error {
	raw, err := p.fd.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	if err := raw.Control(func(fd uintptr) { sent = unix.PidfdSendSignal(int(fd), sig, nil, 0) }); err != nil {
		return err
	}
	if errors.Is(sent, unix.ESRCH) {
		return nil // it has just ended
	}
	return sent
}

// ended waits, while another goroutine is in wait, for the end of the process;
// the error is ErrClosed when it was let go of before.
func (p *process) ended(ctx context.Context) error {
	select {
	case <-p.done:
		if !p.over {
			return ErrClosed
		}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *process) close() error { return p.fd.Close() }

// startTime is field 22 of /proc/PID/stat (proc_pid_stat(5)), in clock ticks
// since boot: together with the number it names a process.
func startTime(proc string, pid int) (string, error) {
	b, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "stat"))
	if err != nil {
		return "", err
	}
	return parseStartTime(string(b))
}

// parseStartTime reads "1234 (a name) with) S 1 …": the name is whatever the
// process wants it to be, so fields are counted from the last parenthesis.
func parseStartTime(stat string) (string, error) {
	f := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	const index = 22 - 3 // the field after the name is number 3
	if len(f) <= index {
		return "", fmt.Errorf("stat %.80q: too short", stat)
	}
	if _, err := strconv.ParseUint(f[index], 10, 64); err != nil {
		return "", fmt.Errorf("stat %.80q: start time: %w", stat, err)
	}
	return f[index], nil
}
