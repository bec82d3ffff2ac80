package api

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
)

func TestConnectionsAreBounded(t *testing.T) {
	virtual(t, both(), func(p *pipes, _ func() error) {
		var open []net.Conn
		for range maxConnections {
			open = append(open, p.dial())
		}
		further := make(chan net.Conn, 1)
		go func() { further <- p.dial() }()
		synctest.Wait()
		if len(further) != 0 {
			t.Errorf("connection %d was accepted", maxConnections+1)
		}
		if err := open[0].Close(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if len(further) != 1 {
			t.Fatal("a place became free, and the one who waited did not get it")
		}
		for _, c := range append(open[1:], <-further) {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestCloseOfAFullListenerUnblocksAccept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		b := newBounded(p, 1)
		go func() { p.dial().Close() }()
		c, err := b.Accept()
		if err != nil {
			t.Fatal(err)
		}
		failed := make(chan error, 1)
		go func() { _, err := b.Accept(); failed <- err }()
		synctest.Wait()
		if err := errors.Join(b.Close(), b.Close(), c.Close(), c.Close()); err != nil {
			t.Error(err)
		}
		if err := <-failed; !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v", err)
		}
	})
}

// broken fails at once.
type broken struct{ *pipes }

var errBroken = errors.New("out of luck")

func (broken) Accept() (net.Conn, error) { return nil, errBroken }

func TestListenerThatFailsEndsTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sound := newPipes()
		err := New(open(both())).Serve(t.Context(), sound, broken{newPipes()})
		if !errors.Is(err, errBroken) {
			t.Errorf("got %v", err)
		}
		if _, err := sound.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("the other listener is open: %v", err)
		}
	})
}

// Whoever asks the server to stop knows why; it is no failure of the server's.
func TestBeingToldToStopIsNoFailure(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errBroken)
	if err := New(open(both())).Serve(ctx, newPipes()); err != nil {
		t.Errorf("got %v", err)
	}
}
