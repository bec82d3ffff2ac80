package client

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"

	"github.com/memsup/memsup/internal/service"
)

// ErrUnreachable says that memsupd did not answer; the error that wraps it has the
// cause and the fix.
var ErrUnreachable = errors.New("memsupd cannot be reached")

// Problem is a request that memsupd refused (RFC 9457). It matches with errors.Is
// what the refusal means: [service.ErrUnknown], [service.ErrBusy],
// [service.ErrUnavailable] and [fs.ErrPermission].
type Problem struct {
	Status int    // of HTTP
	Title  string // the words of the status
	Detail string // what is wrong and what to do about it
}

// Error returns the detail, which is written for people.
func (p *Problem) Error() string {
	if p.Detail != "" {
		return p.Detail
	}
	return fmt.Sprintf("memsupd answered %d %s", p.Status, p.Title)
}

// Is reports whether target is what the status stands for.
func (p *Problem) Is(target error) bool {
	switch p.Status {
	case http.StatusForbidden:
		return target == fs.ErrPermission
	case http.StatusNotFound:
		return target == service.ErrUnknown
	case http.StatusConflict:
		return target == service.ErrBusy
	case http.StatusUnprocessableEntity:
		return target == service.ErrUnavailable
	default:
		return false
	}
}
