package services_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is for what should take no time: a machine may be busy.
const patience = 60 * time.Second

// The tests wait for processes, most of the time: more at once than there are CPUs.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// process is one of the programs, under way, as one test sees it.
type process struct {
	t *testing.T
	*program
}

type program struct {
	cmd  *exec.Cmd
	addr string // "127.0.0.1:40123"; empty where it never listened
	// ended is closed when the process is gone and log is complete.
	ended chan struct{}

	mu   sync.Mutex
	log  strings.Builder // stdout and stderr
	more chan struct{}   // closed when a line has come
}

// in is the same process for a subtest.
func (p *process) in(t *testing.T) *process { return &process{t, p.program} }

// run starts a program with these variables in its environment and no others. It is
// killed at the end of the test.
func run(t *testing.T, name string, env ...string) *process {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal("node: not found; as root, scripts/setup lint installs it")
	}
	p := &process{t, &program{ended: make(chan struct{}), more: make(chan struct{})}}
	p.cmd = exec.Command(node, filepath.Join("../../testdata/services", name+".js"))
	p.cmd.Env = append([]string{"PORT=0"}, env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = w, w
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	go p.follow(r)
	t.Cleanup(func() {
		p.signal(syscall.SIGKILL)
		<-p.ended
		if t.Failed() {
			t.Logf("%s said:\n%s", name, p.said())
		}
	})
	return p
}

func (p *program) follow(r *os.File) {
	defer r.Close()
	for lines := bufio.NewScanner(r); lines.Scan(); {
		p.mu.Lock()
		p.log.WriteString(lines.Text() + "\n")
		close(p.more)
		p.more = make(chan struct{})
		p.mu.Unlock()
	}
	_ = p.cmd.Wait() // how it ended is read from ProcessState
	close(p.ended)
}

// start is run for a program that comes up.
func start(t *testing.T, name string, env ...string) *process {
	t.Helper()
	p := run(t, name, env...)
	p.addr = p.awaitLine(`listening on (\S+), pid \d+`)[1]
	return p
}

func (p *program) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// awaitLine waits until the program has said what matches, and returns the match.
func (p *process) awaitLine(pattern string) []string {
	p.t.Helper()
	re, late := regexp.MustCompile(pattern), time.After(patience)
	for {
		p.mu.Lock()
		m, more := re.FindStringSubmatch(p.log.String()), p.more
		p.mu.Unlock()
		if m != nil {
			return m
		}
		select {
		case <-more:
		case <-p.ended:
			if m := re.FindStringSubmatch(p.said()); m != nil {
				return m
			}
			p.t.Fatalf("%v, without having said %q", p.cmd.ProcessState, pattern)
		case <-late:
			p.t.Fatalf("not said within %v: %q", patience, pattern)
		}
	}
}

func (p *process) signal(sig os.Signal) {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Error(err)
	}
}

// exit waits for the end and returns the exit code, -1 for one by a signal.
func (p *process) exit() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("still running after %v", patience)
	}
	return p.cmd.ProcessState.ExitCode()
}

// client keeps connections open, as those that call a service over and over do.
var client = &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}

// ask sends a request and returns the status and the body.
func (p *process) ask(method, path, body string) (int, string) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, "http://"+p.addr+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp.StatusCode, string(b)
}

// answer sends a request that must be answered with 200 and JSON of this shape.
func answer[T any](p *process, method, path, body string) T {
	p.t.Helper()
	status, text := p.ask(method, path, body)
	var v T
	if status != http.StatusOK {
		p.t.Fatalf("%s %s: got %d %s", method, path, status, text)
	}
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		p.t.Fatalf("%s %s: %v in %s", method, path, err, text)
	}
	return v
}

func get[T any](p *process, path string) T {
	p.t.Helper()
	return answer[T](p, http.MethodGet, path, "")
}

// refused sends a request that must be answered with this status and an error that
// contains these words.
func (p *process) refused(status int, words, method, path, body string) {
	p.t.Helper()
	got, text := p.ask(method, path, body)
	var e struct{ Error string }
	err := json.Unmarshal([]byte(text), &e)
	if got != status || err != nil || !strings.Contains(e.Error, words) {
		p.t.Errorf("%s %.80s: got %d %.200s, want %d with %q", method, path, got, text, status, words)
	}
}

// pass lets that much time go by in the service itself, so that what it does by its
// own clock had its turn.
func (p *process) pass(d time.Duration) {
	p.t.Helper()
	get[struct{}](p, fmt.Sprintf("/slow?ms=%d", d.Milliseconds()))
}

// eventually looks until what it sees is as wanted.
func eventually(t *testing.T, what string, look func() (seen string, ok bool)) {
	t.Helper()
	every := time.NewTicker(20 * time.Millisecond)
	defer every.Stop()
	for end := time.Now().Add(patience); ; <-every.C {
		seen, ok := look()
		if ok {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v, last %s", what, patience, seen)
		}
	}
}
