package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

type connectionKey struct{}

// withConnection lets a handler ask who is at the other end.
func withConnection(ctx context.Context, c net.Conn) context.Context {
	if c, ok := c.(*connection); ok {
		return context.WithValue(ctx, connectionKey{}, c.Conn)
	}
	return ctx
}

func overUnix(ctx context.Context) bool {
	_, ok := ctx.Value(connectionKey{}).(*net.UnixConn)
	return ok
}

// peer is the user at the other end of a connection.
type peer struct {
	uid uint32
	via string // "over the unix socket"
}

// identify returns the peer of the request's connection, as the kernel knows it.
func (s *Server) identify(ctx context.Context) (peer, error) {
	switch c := ctx.Value(connectionKey{}).(type) {
	case *net.UnixConn:
		uid, err := peerUID(c)
		return peer{uid, "over the unix socket"}, err
	case *net.TCPConn:
		client, err1 := netip.ParseAddrPort(c.RemoteAddr().String())
		server, err2 := netip.ParseAddrPort(c.LocalAddr().String())
		if err := errors.Join(err1, err2); err != nil {
			return peer{}, fmt.Errorf("addresses of the connection: %w", err)
		}
		client, server = unmap(client), unmap(server)
		if !client.Addr().IsLoopback() {
			return peer{}, fmt.Errorf("%s is another host", client.Addr())
		}
		uid, err := socketOwner(s.procNet, client, server)
		return peer{uid, "over " + server.Addr().String()}, err
	default:
		return peer{}, errors.New("a connection of an unknown kind")
	}
}

// peerUID returns who connected, as of the moment of connect(2) (SO_PEERCRED,
// unix(7)).
func peerUID(c *net.UnixConn) (uint32, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("peer of the unix socket: %w", err)
	}
	var cred *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(err, failed); err != nil {
		return 0, fmt.Errorf("peer of the unix socket: %w", err)
	}
	return cred.Uid, nil
}

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
