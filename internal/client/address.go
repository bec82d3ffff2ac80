package client

import (
	"fmt"
	"net/url"
	"strings"
)

// DefaultAddress is where memsupd listens unless its configuration says otherwise.
const DefaultAddress = "/run/memsupd/memsupd.sock"

// maxSocketPath is the longest path of a unix socket (sun_path, unix(7)).
const maxSocketPath = 107

// address is where to connect: network and where are as in net.Dial, base is what
// URLs begin with.
type address struct {
	network, where, base string
}

// parseAddress parses the absolute path of a unix socket, which may have "unix:"
// before it, or http://HOST:PORT.
func parseAddress(s string) (address, error) {
	path := strings.TrimPrefix(strings.TrimPrefix(s, "unix://"), "unix:")
	if strings.HasPrefix(path, "/") {
		if len(path) > maxSocketPath {
			return address{}, fmt.Errorf("address %.200q: the path of a socket has at most %d bytes", s, maxSocketPath)
		}
		// The host in the URL is not looked up: the socket says which host it is.
		return address{network: "unix", where: path, base: "http://localhost"}, nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" || u.Hostname() == "" || u.Port() == "" ||
		strings.TrimSuffix(s, "/") != "http://"+u.Host {
		return address{}, fmt.Errorf("address %.200q: want the path of a socket, such as %s, or http://127.0.0.1:3007", s, DefaultAddress)
	}
	return address{network: "tcp", where: u.Host, base: "http://" + u.Host}, nil
}
