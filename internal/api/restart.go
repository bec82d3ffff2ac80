package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	contract "github.com/memsup/memsup/api"
	"github.com/memsup/memsup/internal/service"
)

// restart restarts a service and answers when that has ended, well or not.
func (s *Server) restart(w http.ResponseWriter, r *http.Request, by string) {
	reason, refused := readReason(w, r)
	if refused != nil {
		s.problem(w, refused.status, "%s", refused.detail)
		return
	}
	if reason != "" {
		by += ", because " + strconv.Quote(reason)
	}
	name := r.PathValue("service")
	// The time for reading ended with the body; the one for the answer runs.
	patience := time.Now().Add(restartPatience + writeTimeout)
	if err := http.NewResponseController(w).SetWriteDeadline(patience); err != nil {
		s.problem(w, http.StatusInternalServerError, "wait for a restart: %v", err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), restartPatience)
	defer cancel()
	record, err := s.operator.Restart(ctx, name, by)
	switch {
	case err == nil:
		s.answer(w, http.StatusOK, record)
	case errors.Is(err, service.ErrUnknown):
		s.unknown(w, name)
	case errors.Is(err, service.ErrBusy):
		s.problem(w, http.StatusConflict, "%v: try again when it has ended", err)
	case errors.Is(err, service.ErrUnavailable):
		s.problem(w, http.StatusUnprocessableEntity, "%v", err)
	case record.ID != "": // begun, and goes on
		s.answer(w, http.StatusAccepted, record.Action)
	default:
		s.problem(w, http.StatusServiceUnavailable, "the restart of %s did not begin: %v", name, err)
	}
}

// rejection is why a body is not taken.
type rejection struct {
	status int
	detail string
}

func reject(status int, format string, args ...any) *rejection {
	return &rejection{status, fmt.Sprintf(format, args...)}
}

// readReason reads the optional body of a request to restart.
func readReason(w http.ResponseWriter, r *http.Request) (string, *rejection) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return "", reject(http.StatusRequestEntityTooLarge, "the body is larger than %d bytes", maxBody)
	case err != nil:
		return "", reject(http.StatusBadRequest, "read the body: %v", err)
	case len(body) == 0:
		return "", nil
	}
	given := r.Header.Get("Content-Type")
	media, _, err := mime.ParseMediaType(given)
	if err != nil || media != "application/json" || r.Header.Get("Content-Encoding") != "" {
		return "", reject(http.StatusUnsupportedMediaType,
			"a body of type %.70q is not taken: send plain JSON with Content-Type: application/json, or no body", given)
	}
	var q *contract.RestartRequest
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&q); err != nil {
		return "", reject(http.StatusBadRequest, `the body is not {"reason": "…"}: %.200v`, err)
	}
	if q == nil {
		return "", reject(http.StatusBadRequest, `the body is not {"reason": "…"}: null`)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return "", reject(http.StatusBadRequest, "something follows the JSON object in the body")
	}
	if utf8.RuneCountInString(q.Reason) > contract.MaxReason {
		return "", reject(http.StatusBadRequest, "the reason is longer than %d characters", contract.MaxReason)
	}
	return q.Reason, nil
}
