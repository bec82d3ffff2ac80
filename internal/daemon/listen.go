package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"github.com/coreos/go-systemd/v22/activation"
)

// listen returns the listeners of the API: those that systemd passes
// (memsupd.socket), and otherwise its own.
func listen(ctx context.Context, address, socket string) ([]net.Listener, error) {
	passed, err := activation.Listeners()
	if err != nil {
		return nil, fmt.Errorf("take the sockets that systemd passes: %w", err)
	}
	var out []net.Listener
	for _, l := range passed {
		if l == nil {
			return nil, errors.New("take the sockets that systemd passes: one is not a stream socket; see memsupd.socket")
		}
		out = append(out, l)
	}
	if len(out) > 0 {
		return out, nil
	}
	var config net.ListenConfig
	if address != "" {
		l, err := config.Listen(ctx, "tcp", address)
		if err != nil {
			return nil, fmt.Errorf("listen: %w", err)
		}
		out = append(out, l)
	}
	if socket != "" {
		l, err := listenUnix(ctx, config, socket)
		if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	return out, nil
}

// listenUnix listens at a path, in place of a socket that a killed memsupd left.
// Everybody may connect: what one may do is told by one's credentials.
func listenUnix(ctx context.Context, config net.ListenConfig, path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	if st, err := os.Lstat(path); err == nil && st.Mode()&fs.ModeSocket != 0 {
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("listen: %w", err)
		}
	}
	l, err := config.Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		return nil, errors.Join(fmt.Errorf("listen: %w", err), l.Close())
	}
	return l, nil
}
