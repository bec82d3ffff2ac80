package api

import (
	"net"
	"net/http"
	"path"
	"strings"
)

// routes is every request that there is, behind the checks that all of them pass.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.index)
	mux.HandleFunc("GET /openapi.yaml", s.document)
	mux.HandleFunc("GET /health", s.health)
	mux.HandleFunc("GET /metrics", s.services)
	mux.HandleFunc("GET /metrics/{service}", s.service)
	mux.HandleFunc("GET /alerts", s.alerts)
	mux.HandleFunc("POST /restart/{service}", s.operators(s.restart))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		if !s.hostIsThis(r) {
			s.problem(w, http.StatusMisdirectedRequest,
				"the host %.70q is not this one: ask for localhost, 127.0.0.1 or [::1]", r.Host)
			return
		}
		s.dispatch(mux, w, r)
	})
}

// dispatch hands the request to its handler. The multiplexer's own answers are
// plain text and redirects; here they are problems.
func (s *Server) dispatch(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) {
	if path.Clean(r.URL.Path) != r.URL.Path {
		s.notFound(w, r)
		return
	}
	h, pattern := mux.Handler(r)
	if pattern != "" {
		mux.ServeHTTP(w, r)
		return
	}
	refusal := refusal{header: http.Header{}}
	h.ServeHTTP(&refusal, r)
	if refusal.status != http.StatusMethodNotAllowed {
		s.notFound(w, r)
		return
	}
	allow := refusal.header.Get("Allow")
	w.Header().Set("Allow", allow)
	s.problem(w, http.StatusMethodNotAllowed, "%.20q is not for %.70q: use %s", r.Method, r.URL.Path, allow)
}

func (s *Server) notFound(w http.ResponseWriter, r *http.Request) {
	s.problem(w, http.StatusNotFound, "there is nothing at %.70q: GET / says what there is", r.URL.Path)
}

// refusal takes the multiplexer's answer to a request that it has no handler for.
type refusal struct {
	header http.Header
	status int
}

func (r *refusal) Header() http.Header         { return r.header }
func (r *refusal) WriteHeader(status int)      { r.status = status }
func (r *refusal) Write(b []byte) (int, error) { return len(b), nil }

// hostIsThis reports whether the request was meant for this host. A browser sends
// a page's own name here, whatever address it has that name resolve to (DNS
// rebinding). On the unix socket there is no browser.
func (s *Server) hostIsThis(r *http.Request) bool {
	if overUnix(r.Context()) {
		return true
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	switch strings.ToLower(strings.Trim(host, "[]")) {
	case "localhost", "127.0.0.1", "::1":
		return true
	}
	return false
}
