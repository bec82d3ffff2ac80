package load

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

func TestCountsByTheEnd(t *testing.T) {
	var n atomic.Int64
	seen := make(chan struct{}, 100)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		defer func() { seen <- struct{}{} }()
		if n.Add(1)%2 == 0 {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			conn.Close()
		}
	}))
	defer srv.Close()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	l, err := Start(context.Background(), time.Millisecond, srv.URL, "http://"+gone.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for range 4 {
		<-seen
	}
	s := l.Stop()
	if s.OK < 2 || s.Dropped < 2 || s.Refused == 0 || s.First == nil {
		t.Errorf("got %v, first %v", s, s.First)
	}
}

// serve begins load of n requests to a server, once.
func serve(t *testing.T, n int, handler http.HandlerFunc) *Load {
	t.Helper()
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	urls := make([]string, n)
	for i := range urls {
		urls[i] = srv.URL
	}
	l, err := Start(t.Context(), time.Hour, urls...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestWhatCountsAsAnswered(t *testing.T) {
	for _, c := range []struct {
		name string
		want Summary
		how  http.HandlerFunc
	}{
		{"ok", Summary{OK: 1}, func(http.ResponseWriter, *http.Request) {}},
		{"told to come later", Summary{OK: 1}, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }},
		{"server's error", Summary{Dropped: 1}, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }},
		{"cut short", Summary{Dropped: 1}, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "9") }},
		{"sent elsewhere", Summary{OK: 1}, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://192.0.2.1/", http.StatusFound) // not followed: not loopback
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			began := make(chan struct{}, 1)
			l := serve(t, 1, func(w http.ResponseWriter, r *http.Request) { began <- struct{}{}; c.how(w, r) })
			<-began
			got := l.Stop()
			if (got.First != nil) != (got.Dropped > 0) {
				t.Errorf("first drop: got %v", got.First)
			}
			if got.First = nil; got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// The load's end cuts no request short, and no more are under way than its bound.
func TestEndAndBound(t *testing.T) {
	began, answer := make(chan struct{}, 100), make(chan struct{})
	l := serve(t, 100, func(http.ResponseWriter, *http.Request) { began <- struct{}{}; <-answer })
	for range inFlight {
		<-began
	}
	l.cancel()
	close(answer)
	if got, want := l.Stop(), (Summary{OK: inFlight}); got != want {
		t.Errorf("got %v, first %v, want %v", got, got.First, want)
	}
}

func TestOnlyLoopback(t *testing.T) {
	for _, u := range []string{"http://10.0.0.1/", "http://example.com/", "http://0.0.0.0/", "::"} {
		if _, err := Start(context.Background(), time.Second, u); err == nil {
			t.Errorf("%s was accepted", u)
		}
	}
}
