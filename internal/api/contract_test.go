package api

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"testing"

	contract "github.com/memsup/memsup/api"
)

func checkProblem(t testing.TB, where string, a answer) {
	t.Helper()
	var p contract.Problem
	d := json.NewDecoder(bytes.NewReader(a.body))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil || a.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s: not a problem: %v, %s\n%s", where, err, a.header.Get("Content-Type"), a.body)
		return
	}
	if p.Type != "about:blank" || p.Status != a.status || p.Title != http.StatusText(a.status) || len(p.Detail) < 10 {
		t.Errorf("%s: problem %+v", where, p)
	}
}

// checked is a transport whose every answer is held against the document.
type checked struct {
	t    testing.TB
	next http.RoundTripper
}

func (c checked) RoundTrip(r *http.Request) (*http.Response, error) {
	var sent []byte
	if r.Body != nil {
		var err error
		if sent, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(sent))
	}
	response, err := c.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	if err := response.Body.Close(); err != nil {
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	openapi.check(c.t, r, sent, answer{response.StatusCode, response.Header, body})
	for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
		if got := response.Header.Values(name); !slices.Equal(got, []string{want}) {
			c.t.Errorf("%s %s: %s: %q, want %q", r.Method, r.URL, name, got, want)
		}
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, nil
}
