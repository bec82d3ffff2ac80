// Package load sends requests to services on this host's loopback, at a constant
// rate and bounded in number, and counts what became of them.
package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"syscall"
	"time"
)

const (
	timeout  = 60 * time.Second
	inFlight = 64 // more than this many at once are not begun
)

// Summary counts the requests by their end.
type Summary struct {
	OK int
	// Refused found nobody who took the connection: a service that is between two
	// lives. Nothing of the request was sent, so whoever sends it may do so again.
	Refused int
	// Dropped were accepted and not answered: reset, closed, timed out, or answered
	// with a server's error. A graceful restart drops none.
	Dropped int
	First   error // the first drop
}

func (s Summary) String() string {
	return fmt.Sprintf("%d answered, %d dropped, %d refused between two lives", s.OK, s.Dropped, s.Refused)
}

// Load is load under way.
type Load struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
	slots  chan struct{}
	client http.Client

	mu  sync.Mutex
	sum Summary
}

// Start sends one request to each of the URLs every interval, until Stop or ctx's
// end. Any host but loopback is refused.
func Start(ctx context.Context, interval time.Duration, urls ...string) (*Load, error) {
	for _, u := range urls {
		parsed, err := url.Parse(u)
		if err != nil {
			return nil, fmt.Errorf("load: %w", err)
		}
		if ip := net.ParseIP(parsed.Hostname()); ip == nil || !ip.IsLoopback() {
			return nil, fmt.Errorf("load: %s: want a loopback address such as 127.0.0.1", u)
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	l := &Load{cancel: cancel, slots: make(chan struct{}, inFlight), client: http.Client{
		Timeout:       timeout,
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // it might leave this host
	}}
	l.done.Go(func() {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			for _, u := range urls {
				select {
				case l.slots <- struct{}{}:
					l.done.Go(func() { defer func() { <-l.slots }(); l.one(u) })
				default:
				}
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
	return l, nil
}

// Stop ends the load, waits for the requests in flight and returns the counts.
func (l *Load) Stop() Summary {
	l.cancel()
	l.done.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sum
}

// one sends a request that outlives the load's own end, so that none is cut short
// by the one who counts.
func (l *Load) one(u string) {
	resp, err := l.client.Get(u) //nolint:noctx // bounded by the client's timeout
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		err = errors.Join(err, resp.Body.Close())
		if err == nil && resp.StatusCode >= 500 {
			err = errors.New(resp.Status)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		l.sum.OK++
	case neverConnected(err):
		l.sum.Refused++
	default:
		l.sum.Dropped++
		if l.sum.First == nil {
			l.sum.First = err
		}
	}
}

// neverConnected reports whether the connection was refused, or reset while it
// waited in the queue of a socket that was closed.
func neverConnected(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial" &&
		(errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET))
}
