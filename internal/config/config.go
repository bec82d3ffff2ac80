package config

import (
	"time"

	"github.com/memsup/memsup/internal/service"
)

// Config is a configuration in which everything is decided.
type Config struct {
	Listen   string // loopback address and port of the API; "" is none
	Socket   string // path of the API's unix socket; "" is none
	StateDir string
	LogLevel string // "debug", "info", "warn" or "error"
	Services []service.Spec
}

// defaults is what holds when nothing is said.
func defaults() Config {
	return Config{
		Listen:   "127.0.0.1:3007",
		Socket:   "/run/memsupd/memsupd.sock",
		StateDir: "/var/lib/memsupd",
		LogLevel: "info",
	}
}

// The bounds of the sampling interval.
const (
	minInterval = time.Second
	maxInterval = time.Minute
)

// maxServices bounds what one daemon supervises, and with it its memory and the
// labels of its metrics.
const maxServices = 1000
