package api

import (
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/memsup/memsup/internal/service"
)

// line stands for what the API shows and asks.
type line struct {
	services []service.Status
	alerts   []service.Alert
	points   []service.Point
	health   service.Health

	mu       sync.Mutex
	asked    []string // "api-server by uid 0 (root) over …"
	restarts func(ctx context.Context) (service.ActionRecord, error)
}

func (l *line) Services() []service.Status    { return append([]service.Status(nil), l.services...) }
func (l *line) Alerts() []service.Alert       { return l.alerts }
func (l *line) Recent(string) []service.Point { return l.points }
func (l *line) Health() service.Health        { return l.health }
func (l *line) known(name string) (i int, ok bool) {
	for i, s := range l.services {
		if s.Name == name {
			return i, true
		}
	}
	return 0, false
}

func (l *line) Service(name string) (service.Status, bool) {
	if i, ok := l.known(name); ok {
		return l.services[i], true
	}
	return service.Status{}, false
}

func (l *line) Restart(ctx context.Context, name, by string) (service.ActionRecord, error) {
	l.mu.Lock()
	l.asked = append(l.asked, name+" by "+by)
	l.mu.Unlock()
	if _, ok := l.known(name); !ok {
		return service.ActionRecord{}, service.ErrUnknown
	}
	if l.restarts != nil {
		return l.restarts(ctx)
	}
	return ended(), nil
}

// who returns who asked last.
func (l *line) who() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.asked) == 0 {
		return "nobody"
	}
	return l.asked[len(l.asked)-1]
}

// users are the accounts of a host; the root of it has none.
type users map[uint32]struct {
	name   string
	member bool
	err    error
}

func (u users) Account(uid uint32, group string) (string, bool, error) {
	if group != "memsup" {
		return "", false, os.ErrInvalid
	}
	return u[uid].name, u[uid].member, u[uid].err
}

// everybody may do everything.
type everybody struct{}

func (everybody) Account(uint32, string) (string, bool, error) { return "tester", true, nil }

// host is a server on real sockets.
type host struct {
	t            *testing.T
	server       *Server
	socket, addr string
	unix, tcp    *http.Client
	stop         func() error // ends the server and returns what Serve did
}

func serve(t *testing.T, opts Options) *host {
	t.Helper()
	dir, err := os.MkdirTemp("", "memsup") // short: a socket's path has 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	h := &host{t: t, socket: filepath.Join(dir, "s")}
	u, err := net.Listen("unix", h.socket)
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]os.FileMode{dir: 0o755, h.socket: 0o666} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	h.addr = tcp.Addr().String()
	h.unix, h.tcp = h.client("unix", h.socket), h.client("tcp", h.addr)
	h.server = New(opts)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.server.Serve(ctx, u, tcp) }()
	h.stop = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() {
		if err := h.stop(); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return h
}

func (h *host) client(network, address string) *http.Client {
	return h.over(func() (net.Conn, error) { return net.Dial(network, address) })
}

// over returns a client whose connections are dialled as given.
func (h *host) over(dial func() (net.Conn, error)) *http.Client {
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return dial() }}
	h.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     checked{h.t, transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// answer is a response, read.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// ask makes a request; headers are "Name: value", and Host is one of them.
func (h *host) ask(c *http.Client, method, path, body string, headers ...string) answer {
	h.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(h.t.Context(), method, "http://"+h.addr+path, reader)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		if name == "Host" {
			r.Host = value
		}
		r.Header.Set(name, value)
	}
	response, err := c.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return answer{response.StatusCode, maps.Clone(response.Header), b}
}

// get asks over TCP.
func (h *host) get(path string) answer {
	h.t.Helper()
	return h.ask(h.tcp, http.MethodGet, path, "")
}
