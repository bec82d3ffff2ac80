package api

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/memsup/memsup/internal/service"
)

const asJSON = "Content-Type: application/json"

func TestRestartTakesAReasonOrNothing(t *testing.T) {
	l := both()
	h := serve(t, open(l))
	for _, tc := range []struct {
		body    string
		headers []string
		because string
	}{
		{"", nil, ""},
		{"", []string{asJSON}, ""},
		{"{}", []string{asJSON}, ""},
		{`{"reason": "high-memory"}`, []string{asJSON}, `, because "high-memory"`},
		{`{"reason": "` + strings.Repeat("ü", 200) + `"}`, []string{"Content-Type: Application/JSON; charset=utf-8"}, `, because "` + strings.Repeat("ü", 200) + `"`},
		{`{"reason": "a\nMESSAGE_ID=forged"}`, []string{asJSON}, `, because "a\nMESSAGE_ID=forged"`},
	} {
		for _, c := range []*http.Client{h.unix, h.tcp} {
			a := h.ask(c, "POST", "/restart/api-server", tc.body, tc.headers...)
			if got := decode[service.ActionRecord](t, a); got.Outcome != service.Succeeded || got.ID != "api-server/restart/7" {
				t.Errorf("%s: %+v", tc.body, got)
			}
			if who := l.who(); !strings.HasPrefix(who, "api-server by uid ") || !strings.Contains(who, "(tester) over ") ||
				tc.because == "" && strings.Contains(who, "because") || !strings.HasSuffix(who, tc.because) {
				t.Errorf("%s: asked for %s", tc.body, who)
			}
		}
	}
}

func TestBodiesThatAreNotTaken(t *testing.T) {
	l := both()
	h := serve(t, open(l))
	for _, tc := range []struct {
		body, header string
		want         int
		detail       string
	}{
		{`{"reason": "x"}`, "Content-Type: application/x-www-form-urlencoded", 415, "application/json"},
		{`{"reason": "x"}`, "Content-Type: text/plain", 415, "application/json"}, // what a page may send unasked
		{`{"reason": "x"}`, "Content-Type: ;", 415, "application/json"},
		{`{"reason": "x"}`, "X: no type", 415, "application/json"},
		{`{"reason": `, asJSON, 400, "unexpected EOF"},
		{` `, asJSON, 400, "EOF"},
		{`null`, asJSON, 400, "null"},
		{`[]`, asJSON, 400, "array"},
		{`{"reason": 1}`, asJSON, 400, "number"},
		{`{"force": true}`, asJSON, 400, "force"},
		{`{} {}`, asJSON, 400, "follows"},
		{`{"reason": "` + strings.Repeat("x", 201) + `"}`, asJSON, 400, "200 characters"},
		{strings.Repeat(" ", maxBody+1), asJSON, 413, "65536 bytes"},
	} {
		a := h.ask(h.unix, "POST", "/restart/api-server", tc.body, tc.header)
		if a.status != tc.want || !strings.Contains(string(a.body), tc.detail) {
			t.Errorf("%.40s, %s: %d %s; want %d and %q", tc.body, tc.header, a.status, a.body, tc.want, tc.detail)
		}
	}
	if a := h.ask(h.unix, "POST", "/restart/api-server", "{}", asJSON, "Content-Encoding: gzip"); a.status != 415 {
		t.Errorf("a body that claims to be packed: %d", a.status)
	}
	if l.who() != "nobody" {
		t.Errorf("%s, with such a body", l.who())
	}
}

func TestHowARestartEnds(t *testing.T) {
	failed := ended()
	failed.Outcome = service.Unfinished
	begun := service.ActionRecord{Action: ended().Action}
	for _, tc := range []struct {
		name   string
		record service.ActionRecord
		err    error
		want   int
		body   string
	}{
		{"well", ended(), nil, 200, `"outcome":"succeeded"`},
		{"not well", failed, nil, 200, `"outcome":"failed"`},
		{"busy", service.ActionRecord{}, fmt.Errorf("api-server: %w", service.ErrBusy), 409, "try again"},
		{"masked", service.ActionRecord{}, fmt.Errorf("api-server: %w: masked", service.ErrUnavailable), 422, "masked"},
		{"never begun", service.ActionRecord{}, context.DeadlineExceeded, 503, "did not begin"},
		{"goes on", begun, context.DeadlineExceeded, 202, `"id":"api-server/restart/7"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := both()
			l.restarts = func(context.Context) (service.ActionRecord, error) { return tc.record, tc.err }
			h := serve(t, open(l))
			a := h.ask(h.unix, "POST", "/restart/api-server", "")
			if a.status != tc.want || !strings.Contains(string(a.body), tc.body) {
				t.Errorf("%d %s; want %d and %s", a.status, a.body, tc.want, tc.body)
			}
		})
	}
}

// A memsupd that goes down tells those who wait that the restart goes on.
func TestWhoWaitsIsAnsweredWhenTheServerStops(t *testing.T) {
	l := both()
	waiting := make(chan struct{})
	l.restarts = func(ctx context.Context) (service.ActionRecord, error) {
		close(waiting)
		<-ctx.Done()
		return service.ActionRecord{Action: ended().Action}, ctx.Err()
	}
	h := serve(t, open(l))
	answered := make(chan answer)
	go func() { answered <- h.ask(h.tcp, "POST", "/restart/api-server", "") }()
	<-waiting
	stopped := make(chan error)
	go func() { stopped <- h.stop() }()
	if a := <-answered; a.status != http.StatusAccepted {
		t.Errorf("got %d %s", a.status, a.body)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestServerSaysThatItCannotWait(t *testing.T) {
	l := both()
	w := httptest.NewRecorder() // has no deadlines
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:3007/restart/api-server", nil)
	New(open(l)).restart(w, r, "tester")
	openapi.check(t, r, nil, answer{w.Code, w.Header(), w.Body.Bytes()})
	if w.Code != http.StatusInternalServerError || l.who() != "nobody" {
		t.Errorf("%d %s; asked: %s", w.Code, w.Body, l.who())
	}
	if !strings.Contains(w.Body.String(), "not supported") {
		t.Errorf("the cause is not told: %s", w.Body)
	}
}
