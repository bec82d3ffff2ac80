package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

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
		// Looked at after the owner: as long as our end is connected, nobody else
		// can have been given the client's port.
		return peer{uid, "over " + server.Addr().String()}, errors.Join(err, connected(c))
	default:
		return peer{}, errors.New("a connection of an unknown kind")
	}
}

// peerUID returns who connected, as of the moment of connect(2) (SO_PEERCRED,
// unix(7)).
func peerUID(c *net.UnixConn) (uint32, error) {
	var cred *unix.Ucred
	err := control(c, func(fd int) (err error) {
		cred, err = unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("peer of the unix socket: %w", err)
	}
	return cred.Uid, nil
}

// connected returns an error unless the client holds its end of the connection
// open (TCP_INFO, tcp(7)).
func connected(c *net.TCPConn) error {
	const established = 1 // TCP_ESTABLISHED, include/net/tcp_states.h
	var info *unix.TCPInfo
	err := control(c, func(fd int) (err error) {
		info, err = unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		return err
	})
	if err != nil {
		return fmt.Errorf("state of the connection: %w", err)
	}
	if info.State != established {
		return errors.New("the client closed the connection")
	}
	return nil
}

// control does something with the descriptor of a connection.
func control(c syscall.Conn, do func(fd int) error) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = do(int(fd)) })
	return errors.Join(err, failed)
}

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
