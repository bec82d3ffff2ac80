package api

import (
	"bytes"
	"encoding/json"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	contract "github.com/memsup/memsup/api"
	"github.com/memsup/memsup/internal/service"
)

func decode[T any](t *testing.T, a answer) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(a.body, &v); err != nil || a.status != http.StatusOK {
		t.Fatalf("%d %v\n%s", a.status, err, a.body)
	}
	return v
}

// The names of fields are what others rely on: a change here breaks them.
func TestServiceInFull(t *testing.T) {
	a := serve(t, open(both())).get("/metrics/api-server")
	var got bytes.Buffer
	if err := json.Indent(&got, a.body, "", "  "); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/service.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Error(diff)
	}
	var back service.Status
	if err := json.Unmarshal(want, &back); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(back)
	if err != nil {
		t.Fatal(err)
	}
	original, err := json.Marshal(full())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(original), string(again)); diff != "" {
		t.Errorf("read back: %s", diff)
	}
}

func TestWhatIsNotKnownIsNullOrLeftOutAndListsAreLists(t *testing.T) {
	h := serve(t, open(both()))
	got := decode[map[string]any](t, h.get("/metrics/cache-warmer"))
	for _, name := range []string{"runningSince", "sampledAt", "detail"} {
		if v, ok := got[name]; ok {
			t.Errorf("%s is %v, want it left out", name, v)
		}
	}
	for _, name := range []string{"sample", "action"} {
		if v, ok := got[name]; !ok || v != nil {
			t.Errorf("%s is %v, want null", name, v)
		}
	}
	if alerts, ok := got["alerts"].([]any); !ok || len(alerts) != 0 {
		t.Errorf("alerts: %v, want []", got["alerts"])
	}
	if n := got["statistics"].(map[string]any)["samples"]; n != 0.0 {
		t.Errorf("%v samples of a service that does not run", n)
	}
}

func TestEmptyLineHasEmptyLists(t *testing.T) {
	h := serve(t, open(&line{health: service.Health{Status: "ok", Version: "1", Since: noon}}))
	for path, want := range map[string]string{"/metrics": `{"services":[]}`, "/alerts": `[]`} {
		if a := h.get(path); strings.TrimSpace(string(a.body)) != want {
			t.Errorf("%s: %d %s, want %s", path, a.status, a.body, want)
		}
	}
	if got := decode[service.Health](t, h.get("/health")); got.Subsystems == nil || got.Missing == nil {
		t.Errorf("got %+v", got)
	}
}

func TestMetricsKeepTheOrderOfTheConfiguration(t *testing.T) {
	got := decode[contract.Services](t, serve(t, open(both())).get("/metrics"))
	if len(got.Services) != 2 || got.Services[0].Name != "api-server" || got.Services[1].Name != "cache-warmer" {
		t.Errorf("got %+v", got)
	}
}

func TestAlertsAreThoseThatFire(t *testing.T) {
	l := both()
	over := critical()
	end := at(0)
	over.State, over.Ended = service.Resolved, &end
	l.alerts = append(l.alerts, over)
	got := decode[[]service.Alert](t, serve(t, open(l)).get("/alerts"))
	if len(got) != 1 || got[0].State != service.Firing || got[0].Severity != service.Critical {
		t.Errorf("got %+v", got)
	}
}

func TestHealthFailsOnlyWithoutTheEngine(t *testing.T) {
	for _, tc := range []struct {
		part string
		ok   bool
		want int
	}{
		{"systemd", false, http.StatusOK},
		{"engine", true, http.StatusOK},
		{"engine", false, http.StatusServiceUnavailable},
	} {
		l := both()
		l.health.Subsystems = []service.Subsystem{{Name: tc.part, OK: tc.ok}}
		if a := serve(t, open(l)).get("/health"); a.status != tc.want {
			t.Errorf("%s %t: %d, want %d", tc.part, tc.ok, a.status, tc.want)
		}
	}
}

func TestFigureThatJSONCannotSayIsAProblem(t *testing.T) {
	l := both()
	l.alerts[0].Value = math.NaN()
	l.services[0].Alerts[0].Value = math.Inf(1)
	h := serve(t, open(l))
	for _, path := range []string{"/alerts", "/metrics", "/metrics/api-server"} {
		if a := h.get(path); a.status != http.StatusInternalServerError {
			t.Errorf("%s: %d\n%s", path, a.status, a.body)
		}
	}
}

func TestHeadIsGetWithoutTheBody(t *testing.T) {
	h := serve(t, open(both()))
	get, head := h.get("/health"), h.ask(h.tcp, http.MethodHead, "/health", "")
	if head.status != http.StatusOK || len(head.body) != 0 || head.header.Get("Content-Length") != strconv.Itoa(len(get.body)) {
		t.Errorf("got %+v", head)
	}
}
