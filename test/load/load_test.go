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

func TestOnlyLoopback(t *testing.T) {
	for _, u := range []string{"http://10.0.0.1/", "http://example.com/", "http://0.0.0.0/", "::"} {
		if _, err := Start(context.Background(), time.Second, u); err == nil {
			t.Errorf("%s was accepted", u)
		}
	}
}
