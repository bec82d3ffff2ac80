package api

import (
	"net/http"

	contract "github.com/memsup/memsup/api"
	"github.com/memsup/memsup/internal/service"
)

const indexText = `memsupd supervises the memory of the services of this host.

GET  /health             how memsupd is
GET  /metrics            every service
GET  /metrics/{service}  one service, with .statistics
GET  /alerts             what is wrong now
POST /restart/{service}  restart it gracefully: root and the group memsup
GET  /openapi.yaml       all of this, in full
`

func (s *Server) index(w http.ResponseWriter, _ *http.Request) {
	s.send(w, http.StatusOK, "text/plain; charset=utf-8", []byte(indexText))
}

func (s *Server) document(w http.ResponseWriter, _ *http.Request) {
	s.send(w, http.StatusOK, "application/yaml", contract.Document)
}

// health is 200 as long as services are supervised, well or not so well: only a
// memsupd whose engine is gone is of no use.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	h := s.source.Health()
	h.Subsystems = filled(h.Subsystems)
	h.Missing = filled(h.Missing)
	status := http.StatusOK
	for _, sub := range h.Subsystems {
		if sub.Name == "engine" && !sub.OK {
			status = http.StatusServiceUnavailable
		}
	}
	s.answer(w, status, h)
}

func (s *Server) services(w http.ResponseWriter, _ *http.Request) {
	all := filled(s.source.Services())
	for i := range all {
		all[i].Alerts = filled(all[i].Alerts)
	}
	s.answer(w, http.StatusOK, contract.Services{Services: all})
}

func (s *Server) service(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("service")
	st, ok := s.source.Service(name)
	if !ok {
		s.unknown(w, name)
		return
	}
	st.Alerts = filled(st.Alerts)
	s.answer(w, http.StatusOK, contract.Service{Status: st, Statistics: statistics(st, s.source.Recent(name))})
}

func (s *Server) alerts(w http.ResponseWriter, _ *http.Request) {
	firing := []service.Alert{}
	for _, a := range s.source.Alerts() {
		if a.State == service.Firing {
			firing = append(firing, a)
		}
	}
	s.answer(w, http.StatusOK, firing)
}

func (s *Server) unknown(w http.ResponseWriter, name string) {
	s.problem(w, http.StatusNotFound, "no service is called %.70q: GET /metrics lists them, the configuration names them", name)
}

// filled returns a slice that JSON writes as an array, never as null.
func filled[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
