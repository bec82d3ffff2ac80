//go:build race

package api

import (
	"fmt"
	"net/http"
	"testing"
)

// openapi checks problems alone: the validator takes minutes to be built with the
// race detector, and make check runs these tests without it too.
var openapi document

type document struct{}

func (document) unseen() []string { return nil }

func (document) check(t testing.TB, r *http.Request, _ []byte, a answer) {
	t.Helper()
	if a.status >= 400 && a.status != http.StatusServiceUnavailable && r.Method != http.MethodHead {
		checkProblem(t, fmt.Sprintf("%s %s: %d", r.Method, r.URL, a.status), a)
	}
}
