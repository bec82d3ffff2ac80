package kmsg

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/memsup/memsup/internal/service"
)

const real612 = "6,1152,96345217,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=x.service,mems_allowed=0,oom_memcg=/system.slice/x.service,task_memcg=/system.slice/x.service,task=node,pid=412,uid=997\n SUBSYSTEM=x\n"

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		name, record string
		want         Kill
		ok           bool
	}{
		{"6.12", real612, Kill{Victim: service.Victim{PID: 412, Comm: "node", UID: 997}, OOMMemcg: "/system.slice/x.service", TaskMemcg: "/system.slice/x.service", At: 96345217 * time.Microsecond}, true},
		{
			"host, with global_oom", "6,9,5,-;oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/a,task=b,pid=7,uid=0\n",
			Kill{Victim: service.Victim{PID: 7, Comm: "b"}, Host: true, TaskMemcg: "/a", At: 5 * time.Microsecond},
			true,
		},
		{
			"a name that plays tricks", "6,9,5,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0-1,oom_memcg=/a,task_memcg=/a/b,task=x,pid=1,uid=0,pid=44,uid=5\n",
			Kill{Victim: service.Victim{PID: 44, Comm: "x,pid=1,uid=0", UID: 5}, OOMMemcg: "/a", TaskMemcg: "/a/b", At: 5 * time.Microsecond},
			true,
		},
		{
			"a template's slice, as systemd escapes it and the kernel again", `6,9,5,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/system.slice/system-wal\x5cx2dmart.slice/wal-mart@1.service,task_memcg=/system.slice/system-wal\x5cx2dmart.slice/wal-mart@1.service,task=n\xc3\xb6de,pid=7,uid=0` + "\n",
			Kill{
				Victim: service.Victim{PID: 7, Comm: `n\xc3\xb6de`}, At: 5 * time.Microsecond,
				OOMMemcg:  `/system.slice/system-wal\x2dmart.slice/wal-mart@1.service`,
				TaskMemcg: `/system.slice/system-wal\x2dmart.slice/wal-mart@1.service`,
			},
			true,
		},
		{
			"the root's limit", "6,9,5,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/,task_memcg=/a,task=b,pid=7,uid=0\n",
			Kill{Victim: service.Victim{PID: 7, Comm: "b"}, OOMMemcg: "/", TaskMemcg: "/a", At: 5 * time.Microsecond},
			true,
		},
		{"written by a program", "14,9,5,-;" + real612[len("6,1152,96345217,-;"):], Kill{}, false},
		{"anything else", "6,9,5,-;Killed process 412 (node)\n", Kill{}, false},
		{"the words elsewhere", "6,9,5,-;x oom-kill:constraint=CONSTRAINT_MEMCG\n", Kill{}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, ok, err := parse([]byte(tc.record))
			if err != nil || ok != tc.ok {
				t.Fatalf("ok %v, %v", ok, err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, bad := range []string{
		"", "x", "a,b,c;t", "6,1;oom",
		"6,1,2,-;oom-kill:constraint=X,mems_allowed=0,task_memcg=/a,task=b,pid=x,uid=0",
		"6,1,2,-;oom-kill:constraint=CONSTRAINT_MEMCG,pid=1,uid=0",
		"6,1,2,-;oom-kill:constraint=CONSTRAINT_MEMCG,mems_allowed=0,task_memcg=/a,task=b,pid=1,uid=0",
		`6,1,2,-;oom-kill:constraint=CONSTRAINT_NONE,mems_allowed=0,task_memcg=/a\y,task=b,pid=1,uid=0`,
	} {
		if _, ok, err := parse([]byte(bad)); ok || err == nil {
			t.Errorf("%q: ok %v, %v", bad, ok, err)
		}
	}
}

// Whoever may make cgroups below one of their own chooses the names in the kernel's
// line. No such name makes a kill look like one of another service.
func TestNobodyIsBlamedByAName(t *testing.T) {
	const victim = "task_memcg=/system.slice/api.service,task=node,pid=4,uid=5"
	const own = "/user.slice/user-1000.slice/u.service/"
	for name, fields := range map[string]string{
		"cgroup":                   "constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=" + own + "x," + victim + ",task_memcg=" + own + "x," + victim + ",task=a,pid=9,uid=1000",
		"cgroup with both fields":  "constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=" + own + "x,oom_memcg=/," + victim + ",task_memcg=" + own + "x,oom_memcg=/," + victim + ",task=a,pid=9,uid=1000",
		"child of the one full":    "constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=" + own + ",task_memcg=/system.slice,task_memcg=" + own + ",task_memcg=/system.slice/api.service,task=a,pid=9,uid=1000",
		"cpuset":                   "constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=x,mems_allowed=0,oom_memcg=,mems_allowed=0,oom_memcg=" + own + "," + victim + ",task_memcg=" + own + "," + victim + ",task=a,pid=9,uid=1000",
		"cpuset, the host ran out": "constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=x,mems_allowed=0,task_memcg=,mems_allowed=0,global_oom," + "task_memcg=" + own + "," + victim + ",task=a,pid=9,uid=1000",
		"cgroup, the host ran out": "constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=" + own + "x," + victim + ",task=a,pid=9,uid=1000",
	} {
		k, ok, _ := parse([]byte("6,9,5,-;oom-kill:" + fields + "\n"))
		if ok && !within(k.TaskMemcg, own) {
			t.Errorf("%s: blamed %+v", name, k)
		}
	}
}

// pipe is a log that hands out record by record, as /dev/kmsg does.
func pipe(t *testing.T) (*Reader, func(string)) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	r := &Reader{fd: fds[0]}
	t.Cleanup(func() {
		if err := errors.Join(r.Close(), r.Close(), unix.Close(fds[1])); err != nil {
			t.Error(err)
		}
	})
	return r, func(record string) {
		if _, err := unix.Write(fds[1], []byte(record)); err != nil {
			t.Error(err)
		}
	}
}

func TestDrainReadsAllAndDoesNotWait(t *testing.T) {
	r, put := pipe(t)
	put("6,1,1,-;hello\n")
	put(real612)
	put("garbage")
	put(real612)
	n := 0
	if err := r.Drain(func(Kill) { n++ }); err == nil || n != 2 {
		t.Errorf("%d kills, %v; want 2 and a word on the garbage", n, err)
	}
	if err := r.Drain(func(Kill) { n++ }); err != nil || n != 2 {
		t.Errorf("an empty log: %d, %v", n, err)
	}
}

func TestRunEndsWithItsContextAndWithClose(t *testing.T) {
	r, put := pipe(t)
	put(real612)
	ctx, cancel := context.WithCancel(context.Background())
	err := r.Run(ctx, func(Kill) { cancel() }, func(err error) { t.Error(err) })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.Run(context.Background(), nil, nil); !errors.Is(err, os.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// A source that has an end would otherwise be ready for ever.
func TestRunEndsWithTheLog(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	r := &Reader{fd: fds[0]}
	defer r.Close()
	if _, err := unix.Write(fds[1], []byte(real612)); err != nil {
		t.Fatal(err)
	}
	if err := unix.Close(fds[1]); err != nil {
		t.Fatal(err)
	}
	n := 0
	err = r.Run(t.Context(), func(Kill) { n++ }, func(err error) { t.Error(err) })
	if !errors.Is(err, io.ErrUnexpectedEOF) || n != 1 {
		t.Errorf("%d kills, %v", n, err)
	}
}

// A flood of records keeps nobody from getting an answer: /dev/zero never ends.
func TestDrainIsBounded(t *testing.T) {
	fd, err := unix.Open("/dev/zero", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	r := &Reader{fd: fd}
	defer r.Close()
	if err := r.Drain(func(Kill) { t.Error("a kill") }); err == nil {
		t.Error("no word on records that cannot be parsed")
	}
}

func TestOpenOfAnotherDevice(t *testing.T) {
	for _, path := range []string{"/dev/null", "/dev/zero", t.TempDir()} {
		if r, err := Open(path); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %v, %v", path, r, err)
		}
	}
}

func TestOpenOfNothing(t *testing.T) {
	if _, err := Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(real612))
	f.Add([]byte("6,9,5,-;oom-kill:constraint=CONSTRAINT_NONE,mems_allowed=0,global_oom,task_memcg=/a,task=b,pid=7,uid=0"))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, ok, err := parse(b)
		if ok && (err != nil || k.Victim.PID <= 0 || k.At < 0 || k.TaskMemcg[0] != '/' || !k.Host && !within(k.TaskMemcg, k.OOMMemcg)) {
			t.Fatalf("%q: %+v, %v", b, k, err)
		}
	})
}
