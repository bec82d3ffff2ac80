package api

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestWhatThereIsNot(t *testing.T) {
	h := serve(t, open(both()))
	for _, tc := range []struct {
		method, path string
		want         int
		allow        string
	}{
		{"GET", "/nothing", 404, ""},
		{"GET", "/metrics/nobody", 404, ""},
		{"GET", "/metrics/a%2Fb", 404, ""},
		{"GET", "/metrics/%2e%2e/alerts", 404, ""},
		{"GET", "/metrics/../alerts", 404, ""},
		{"GET", "/metrics/", 404, ""}, // no redirect
		{"GET", "//health", 404, ""},
		{"GET", "/metrics/" + strings.Repeat("x", 5000), 404, ""},
		{"POST", "/restart/nobody", 404, ""},
		{"POST", "/gc/api-server", 404, ""},
		{"GET", "/restart/api-server", 405, "POST"},
		{"POST", "/metrics", 405, "GET, HEAD"},
		{"DELETE", "/metrics/api-server", 405, "GET, HEAD"},
		{"OPTIONS", "/alerts", 405, "GET, HEAD"},
		{"PUT", "/", 405, "GET, HEAD"},
		{"BREW", "/health", 405, "GET, HEAD"},
	} {
		a := h.ask(h.tcp, tc.method, tc.path, "")
		if a.status != tc.want || a.header.Get("Allow") != tc.allow {
			t.Errorf("%s %.40s: %d, Allow %q; want %d, %q", tc.method, tc.path, a.status, a.header.Get("Allow"), tc.want, tc.allow)
		}
		if len(a.body) > 500 {
			t.Errorf("%s %.40s: %d bytes of problem", tc.method, tc.path, len(a.body))
		}
	}
}

// What http.Client does not send.
func TestUncommonRequests(t *testing.T) {
	h := serve(t, open(both()))
	for _, tc := range []struct {
		request string
		want    int
	}{
		{"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", 404},
		{"CONNECT localhost:3007 HTTP/1.1\r\nHost: localhost\r\n\r\n", 404},
		{"GET http://evil.example/health HTTP/1.1\r\nHost: localhost\r\n\r\n", 421}, // the target wins over Host
		{"GET /health HTTP/1.0\r\n\r\n", 421},
		{"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", 431},
		{"nonsense\r\n\r\n", 400},
	} {
		c, err := net.Dial("tcp", h.addr)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(c, tc.request)
		response, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatalf("%.40q: %v", tc.request, err)
		}
		response.Body.Close()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if response.StatusCode != tc.want {
			t.Errorf("%.40q: %d, want %d", tc.request, response.StatusCode, tc.want)
		}
	}
}

// A page that has its own name resolve to 127.0.0.1 still sends that name.
func TestHostOverTCPIsThisOne(t *testing.T) {
	h := serve(t, open(both()))
	for host, want := range map[string]int{
		"localhost": 200, "LOCALHOST:3007": 200, "127.0.0.1:3007": 200, "[::1]:3007": 200, "[::1]": 200,
		"evil.example": 421, "evil.example:3007": 421, "127.0.0.1.evil.example": 421, "localhost.evil.example:3007": 421, "10.0.0.1": 421,
	} {
		if a := h.ask(h.tcp, "GET", "/health", "", "Host: "+host); a.status != want {
			t.Errorf("%s: %d, want %d", host, a.status, want)
		}
	}
	if a := h.ask(h.unix, "GET", "/health", "", "Host: any.name"); a.status != 200 {
		t.Errorf("over the unix socket: %d", a.status)
	}
}

// The authority to restart is the user's; a page in the user's browser has none.
func TestPageOfAnotherSiteChangesNothing(t *testing.T) {
	l := both()
	h := serve(t, open(l))
	for _, header := range []string{
		"Origin: https://evil.example",
		"Origin: http://localhost:3000", // another service of this host
		"Origin: null",
		"Sec-Fetch-Site: cross-site",
		"Sec-Fetch-Site: same-site",
	} {
		for _, c := range []*http.Client{h.tcp, h.unix} {
			if a := h.ask(c, "POST", "/restart/api-server", "", header); a.status != http.StatusForbidden {
				t.Errorf("%s: %d", header, a.status)
			}
		}
	}
	if l.who() != "nobody" {
		t.Fatalf("%s, for a page", l.who())
	}
	if a := h.get("/health"); a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("a page of another site may read")
	}
	if a := h.ask(h.tcp, "POST", "/restart/api-server", "", "Origin: http://"+h.addr); a.status != http.StatusOK {
		t.Errorf("from its own origin: %d", a.status)
	}
}
