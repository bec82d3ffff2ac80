package api

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	contract "github.com/memsup/memsup/api"
)

func FuzzReadReason(f *testing.F) {
	f.Add("application/json", `{"reason": "high-memory"}`)
	f.Add("application/json; charset=utf-8", `{}`)
	f.Add("", "")
	f.Add("text/plain", `{"reason": "x"}`)
	f.Add("application/json", `{"reason": "x"} {"reason": "y"}`)
	f.Add("application/json", `{"reason": "\ud800"}`)
	f.Add("application/json", "null")
	f.Add("application/json", strings.Repeat("[", 20000))
	statuses := []int{http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType}
	f.Fuzz(func(t *testing.T, media, body string) {
		r := httptest.NewRequest(http.MethodPost, "/restart/api-server", strings.NewReader(body))
		r.Header.Set("Content-Type", media)
		reason, refused := readReason(httptest.NewRecorder(), r)
		switch {
		case refused == nil:
			if utf8.RuneCountInString(reason) > contract.MaxReason || !utf8.ValidString(reason) {
				t.Errorf("took %q", reason)
			}
			if body != "" && !strings.HasPrefix(strings.TrimLeft(body, " \t\r\n"), "{") {
				t.Errorf("took the body %q", body)
			}
		case reason != "":
			t.Errorf("refused, with the reason %q", reason)
		case !slices.Contains(statuses, refused.status) || refused.detail == "" || len(refused.detail) > 2000:
			t.Errorf("refused with %d %q", refused.status, refused.detail)
		}
	})
}
