package kmsg

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/memsup/memsup/internal/service"
)

// Kill is one process ended by the OOM killer.
type Kill struct {
	Victim    service.Victim
	Host      bool          // the host ran out, not a cgroup at its limit
	OOMMemcg  string        // the cgroup whose limit was reached, below the root; "" when Host
	TaskMemcg string        // the cgroup of the victim, below the root
	At        time.Duration // on the kernel log's clock, since boot
}

const marker = "oom-kill:constraint="

// parse parses one record as /dev/kmsg returns it, header and text. ok is false
// for every record that is not the kernel's word on a kill.
//
//	3,1152,96345217,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=x.service,mems_allowed=0,oom_memcg=/system.slice/x.service,task_memcg=/system.slice/x.service,task=node,pid=412,uid=0
//
// Programs may write records too, with a facility of their own; only the kernel's
// (0) are heard. But what the kernel puts into its line is not all its own: whoever
// may make cgroups below one (Delegate=, a user's own manager) chooses their names,
// and a process its own; both may hold commas and what looks like further fields.
// So what stands before the victim's name is read from the left and what stands
// after it from the right, and a victim that is not of the cgroup at its limit is
// not believed: that line was made to blame another.
//
// The kernel escapes what is not printable, and the backslash, as \x and two digits.
// Cgroups are given as they are, since systemd's names hold backslashes; the
// victim's name stays escaped, as it is for people to read.
func parse(record []byte) (k Kill, ok bool, err error) {
	header, text, found := bytes.Cut(record, []byte(";"))
	if !found {
		return Kill{}, false, fmt.Errorf("kernel log record %.60q: no header", record)
	}
	fields := strings.Split(string(header), ",")
	if len(fields) < 3 {
		return Kill{}, false, fmt.Errorf("kernel log record %.60q: header of %d fields", record, len(fields))
	}
	prefix, err := strconv.ParseUint(fields[0], 10, 32)
	if err != nil {
		return Kill{}, false, fmt.Errorf("kernel log record %.60q: prefix: %w", record, err)
	}
	if prefix>>3 != 0 || !bytes.HasPrefix(text, []byte(marker)) {
		return Kill{}, false, nil
	}
	usec, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil || usec < 0 || usec > int64(1<<63-1)/1000 {
		return Kill{}, false, fmt.Errorf("kernel log record %.60q: time %.30q", record, fields[2])
	}
	line, _, _ := strings.Cut(string(text), "\n") // continuation lines hold the record's dictionary
	k, err = parseKill(line[len(marker):])
	k.At = time.Duration(usec) * time.Microsecond
	return k, err == nil, err
}

func parseKill(line string) (Kill, error) {
	bad := func(what string) (Kill, error) {
		return Kill{}, fmt.Errorf("oom-kill line %.200q: no %s", line, what)
	}
	var k Kill
	constraint, _, _ := strings.Cut(line, ",")
	k.Host = constraint != "CONSTRAINT_MEMCG"

	// From the left.
	_, rest, ok := strings.Cut(line, ",mems_allowed=")
	if !ok {
		return bad("mems_allowed")
	}
	if !k.Host {
		if _, rest, ok = strings.Cut(rest, ",oom_memcg="); !ok {
			return bad("oom_memcg")
		}
		k.OOMMemcg, rest, ok = strings.Cut(rest, ",task_memcg=")
	} else {
		_, rest, ok = strings.Cut(rest, ",task_memcg=")
	}
	if !ok {
		return bad("task_memcg")
	}
	if k.TaskMemcg, rest, ok = strings.Cut(rest, ",task="); !ok {
		return bad("task")
	}
	if k.OOMMemcg, ok = unescape(k.OOMMemcg); !ok || !k.Host && !strings.HasPrefix(k.OOMMemcg, "/") {
		return bad("path in oom_memcg")
	}
	if k.TaskMemcg, ok = unescape(k.TaskMemcg); !ok || !strings.HasPrefix(k.TaskMemcg, "/") {
		return bad("path in task_memcg")
	}
	if !k.Host && !within(k.TaskMemcg, k.OOMMemcg) {
		return bad("victim in oom_memcg; its names are made to mislead")
	}

	// From the right.
	i := strings.LastIndex(rest, ",uid=")
	if i < 0 {
		return bad("uid")
	}
	uid, err := strconv.ParseUint(rest[i+len(",uid="):], 10, 32)
	if err != nil {
		return bad("uid")
	}
	rest = rest[:i]
	if i = strings.LastIndex(rest, ",pid="); i < 0 {
		return bad("pid")
	}
	pid, err := strconv.Atoi(rest[i+len(",pid="):])
	if err != nil || pid <= 0 {
		return bad("pid")
	}
	k.Victim = service.Victim{PID: pid, Comm: rest[:i], UID: uint32(uid)}
	return k, nil
}

// within reports whether the cgroup path is that of dir or below it.
func within(path, dir string) bool {
	rest, ok := strings.CutPrefix(path, strings.TrimSuffix(dir, "/"))
	return ok && (rest == "" || rest[0] == '/')
}

// unescape undoes the kernel's escapes (append_char in kernel/printk/printk.c).
func unescape(s string) (string, bool) {
	if !strings.Contains(s, `\`) {
		return s, true
	}
	var b strings.Builder
	for {
		plain, rest, more := strings.Cut(s, `\`)
		b.WriteString(plain)
		if !more {
			return b.String(), true
		}
		if len(rest) < 3 || rest[0] != 'x' {
			return "", false
		}
		c, err := strconv.ParseUint(rest[1:3], 16, 8)
		if err != nil {
			return "", false
		}
		b.WriteByte(byte(c))
		s = rest[3:]
	}
}
