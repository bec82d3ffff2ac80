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
	OOMMemcg  string        // the cgroup whose limit was reached; "" when Host
	TaskMemcg string        // the cgroup of the victim, below the root
	At        time.Duration // on the kernel log's clock, since boot
}

const marker = "oom-kill:constraint="

// parse parses one record as /dev/kmsg returns it, header and text. ok is false
// for every record that is not the kernel's word on a kill.
//
//	3,1152,96345217,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=x.service,mems_allowed=0,oom_memcg=/system.slice/x.service,task_memcg=/system.slice/x.service,task=node,pid=412,uid=0
//
// The victim's name is its own to choose: it may hold commas and what looks like
// further fields. So what stands before it is read from the left and what stands
// after it from the right. Programs may write records too, with a facility of
// their own; only the kernel's (0) are heard.
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

	// From the left: the last of these that stands before the victim's name.
	_, rest, ok := strings.Cut(line, ",mems_allowed=")
	if !ok {
		return bad("mems_allowed")
	}
	if _, after, ok := strings.Cut(rest, ",oom_memcg="); ok && !k.Host {
		k.OOMMemcg, rest, ok = strings.Cut(after, ",task_memcg=")
		if !ok {
			return bad("task_memcg")
		}
	} else if _, rest, ok = strings.Cut(rest, ",task_memcg="); !ok {
		return bad("task_memcg")
	}
	if k.TaskMemcg, rest, ok = strings.Cut(rest, ",task="); !ok {
		return bad("task")
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
