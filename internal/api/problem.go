package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"go.uber.org/zap"

	contract "github.com/memsup/memsup/api"
)

// problem answers with an error as RFC 9457 has it. The detail says what is wrong
// and what to do about it.
func (s *Server) problem(w http.ResponseWriter, status int, format string, args ...any) {
	s.write(w, status, "application/problem+json", contract.Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: fmt.Sprintf(format, args...),
	})
}

// answer answers with a value.
func (s *Server) answer(w http.ResponseWriter, status int, value any) {
	s.write(w, status, "application/json", value)
}

func (s *Server) write(w http.ResponseWriter, status int, mediaType string, value any) {
	body, err := json.Marshal(value)
	if err != nil { // a float that JSON has no word for
		s.log.Error("write an answer", zap.Error(err))
		s.problem(w, http.StatusInternalServerError, "the answer cannot be written: %v", err)
		return
	}
	s.send(w, status, mediaType, append(body, '\n'))
}

func (s *Server) send(w http.ResponseWriter, status int, mediaType string, body []byte) {
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		s.log.Debug("the client left before its answer", zap.Error(err))
	}
}
