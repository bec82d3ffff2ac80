package services_test

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"
)

const mib = 1 << 20

// proc reads a number from a file of /proc/PID, and returns its line, too.
func (p *process) proc(file, key string) (string, int) {
	p.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.cmd.Process.Pid, file))
	if err != nil {
		p.t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^` + key + `:\s+(\d+)( kB)?$`).FindSubmatch(b)
	if m == nil {
		p.t.Fatalf("no %s in %s", key, b)
	}
	n, err := strconv.Atoi(string(m[1]))
	if err != nil {
		p.t.Fatal(err)
	}
	if len(m[2]) > 0 {
		n *= 1024
	}
	return string(m[0]), n
}

// resident is what the process itself has written to memory: without its program and
// libraries, which other processes of the kind share.
func (p *process) resident() int {
	p.t.Helper()
	_, n := p.proc("smaps_rollup", "Anonymous")
	return n
}

type trouble struct {
	Leak    *struct{ Kind string }
	Leaked  int
	LeakMax *int
}

func (p *process) trouble(query string) trouble {
	p.t.Helper()
	return answer[trouble](p, "POST", "/trouble?"+query, "")
}

// awaitResident waits until what is resident above base lies between least and most.
func (p *process) awaitResident(what string, base, least, most int) {
	p.t.Helper()
	eventually(p.t, what, func() (string, bool) {
		n := p.resident() - base
		return fmt.Sprintf("%d MiB more than before", n/mib), n >= least && n <= most
	})
}

func troubled(t *testing.T, env ...string) *process {
	t.Helper()
	return start(t, "pricing", append(env, "STILL=1", "TROUBLE=1")...)
}

func TestHold(t *testing.T) {
	t.Parallel()
	p := troubled(t, "HOLD=32M")
	held := p.resident()
	p.trouble("hold=48M")
	p.awaitResident("48M instead of 32M, not on top", held, 12*mib, 24*mib)
	p.trouble("hold=off")
	p.awaitResident("off", held, -40*mib, -26*mib)
}

// A leak grows at the rate that it was told, up to its end, and lets go when told.
func TestLeak(t *testing.T) {
	const rate, max = 40 * mib, 24 * mib
	for _, c := range []struct {
		kind string
		most int // that V8 may take on top of what leaks, as room to copy and collect
	}{{"heap", 48 * mib}, {"buffer", 16 * mib}} {
		t.Run(c.kind, func(t *testing.T) {
			t.Parallel()
			p := troubled(t)
			base, began := p.resident(), time.Now()
			p.trouble(fmt.Sprintf("leak=%s:%d/s&leak_max=%d", c.kind, rate, max))
			eventually(t, "LEAK_MAX is reached", func() (string, bool) {
				got, took := p.trouble(""), time.Since(began)
				if float64(got.Leaked) > rate*took.Seconds()+mib {
					t.Fatalf("faster than told: %d MiB after %v", got.Leaked/mib, took)
				}
				return fmt.Sprintf("%d bytes", got.Leaked), got.Leaked == max
			})
			p.awaitResident("what leaked is there", base, max, max+c.most)
			p.pass(300 * time.Millisecond) // three portions more, were it not at its end
			if got, n := p.trouble(""), p.resident()-base; got.Leaked != max || n > max+c.most {
				t.Errorf("past LEAK_MAX: %d bytes leaked, %d MiB more than before", got.Leaked, n/mib)
			}
			before := p.resident()
			if got := p.trouble("leak=off"); got.Leak != nil || got.Leaked != 0 {
				t.Errorf("off: got %+v", got)
			}
			p.awaitResident("off frees", before, -before, -max/2)
		})
	}
}

func TestLeakByRequest(t *testing.T) {
	t.Parallel()
	const each, requests = 200 << 10, 50
	p := troubled(t, "LEAK=request:200K")
	base := p.resident()
	for range requests {
		get[struct{}](p, "/healthz")
	}
	if got := p.trouble("").Leaked; got != (requests+1)*each {
		t.Errorf("got %d bytes after %d requests, want %d for each", got, requests+1, each)
	}
	p.awaitResident("what leaked is there", base, requests*each*9/10, requests*each+48*mib)
}

func TestBurstGoesUpAndDown(t *testing.T) {
	t.Parallel()
	p := troubled(t, "BURST=32M/0.6s/0.3s")
	base := p.resident()
	for range 2 {
		p.awaitResident("up", base, 30*mib, 44*mib)
		p.awaitResident("down", base, -base, 12*mib)
	}
}
