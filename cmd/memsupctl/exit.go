package main

import (
	"errors"
	"io/fs"

	"github.com/memsup/memsup/internal/client"
	"github.com/memsup/memsup/internal/service"
)

// Exit codes; README.md and --help list them.
const (
	exitOK = iota
	exitFailed
	exitUsage
	exitUnreachable
	exitUnknown
	exitNotAllowed
	exitBusy
)

// exitCode returns the exit code of a request that failed.
func exitCode(err error) int {
	// No file or socket of this host may pass for an answer of memsupd's.
	var refused *client.Problem
	switch {
	case errors.Is(err, client.ErrUnreachable):
		return exitUnreachable
	case !errors.As(err, &refused):
		return exitFailed
	case errors.Is(refused, service.ErrUnknown):
		return exitUnknown
	case errors.Is(refused, fs.ErrPermission):
		return exitNotAllowed
	case errors.Is(refused, service.ErrBusy):
		return exitBusy
	default:
		return exitFailed
	}
}
