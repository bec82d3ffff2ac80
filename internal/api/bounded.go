package api

import (
	"net"
	"sync"
)

// bounded is a listener of which no more than a fixed number of connections are
// open; further ones wait in the kernel's queue. (netutil.LimitListener does the
// same and hides the connection, whose peer is asked for here.)
type bounded struct {
	net.Listener
	slots  chan struct{}
	closed chan struct{}
	close  func() error
}

func newBounded(l net.Listener, most int) *bounded {
	b := &bounded{Listener: l, slots: make(chan struct{}, most), closed: make(chan struct{})}
	b.close = sync.OnceValue(func() error {
		close(b.closed)
		return l.Close()
	})
	return b
}

// Accept waits for a connection and for room for it.
func (b *bounded) Accept() (net.Conn, error) {
	select {
	case b.slots <- struct{}{}:
	case <-b.closed:
		return nil, net.ErrClosed
	}
	c, err := b.Listener.Accept()
	if err != nil {
		<-b.slots
		return nil, err
	}
	return &connection{Conn: c, release: sync.OnceFunc(func() { <-b.slots })}, nil
}

// Close closes the listener and unblocks Accept. It may be called again.
func (b *bounded) Close() error { return b.close() }

// connection gives its place back when it is closed.
type connection struct {
	net.Conn
	release func()
}

// Close closes the connection. It may be called again.
func (c *connection) Close() error {
	defer c.release()
	return c.Conn.Close()
}
