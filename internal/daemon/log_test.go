package daemon

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/memsup/memsup/internal/journal"
	"github.com/memsup/memsup/internal/journald"
	"github.com/memsup/memsup/internal/service"
)

// decisions is one of each kind, with what the log is to say.
var decisions = []struct {
	d       service.Decision
	level   zapcore.Level
	message string
	id      string
}{
	{service.Decision{Service: "api", Alert: &service.Alert{
		ID: "api/memory-critical/1", Rule: service.RuleCritical, Severity: service.Critical, State: service.Firing, Message: "working set at 86 %", LatencyNs: 2_500_000,
	}}, zapcore.ErrorLevel, "api: memory-critical: working set at 86 %", idAlertRaised},
	{service.Decision{Service: "api", Alert: &service.Alert{
		Rule: service.RuleWarning, Severity: service.Warning, State: service.Firing, Message: "m",
	}}, zapcore.WarnLevel, "api: memory-warning: m", idAlertRaised},
	{service.Decision{Service: "api", Alert: &service.Alert{
		Rule: service.RuleCritical, Severity: service.Critical, State: service.Resolved, Message: "restarted",
	}}, zapcore.InfoLevel, "api: memory-critical resolved: restarted", idAlertResolved},
	{service.Decision{Service: "api", Begin: &service.Action{
		ID: "api/restart/1", Kind: service.Restart, Reason: "memory-critical", By: "memsupd",
	}}, zapcore.WarnLevel, "api: restart begins: memory-critical", idActionBegun},
	{service.Decision{Service: "api", End: &service.ActionRecord{
		Action: service.Action{Kind: service.Restart}, Outcome: service.Succeeded, Took: 2400 * time.Millisecond,
	}}, zapcore.InfoLevel, "api: restart succeeded after 2.4s", idActionEnded},
	{service.Decision{Service: "api", End: &service.ActionRecord{
		Action: service.Action{Kind: service.Restart}, Outcome: service.Unfinished, Took: time.Second, Detail: "the unit is failed",
	}}, zapcore.ErrorLevel, "api: restart failed after 1s: the unit is failed", idActionEnded},
	{service.Decision{Service: "api", Note: &service.Note{Kind: "adopted", Message: "api.service is running"}}, zapcore.InfoLevel, "api: api.service is running", idNote},
	{service.Decision{Note: &service.Note{Kind: "trouble", Message: "the kernel log: gone"}}, zapcore.WarnLevel, "the kernel log: gone", idNote},
}

func TestEachDecisionIsLoggedWithItsIDAndUnit(t *testing.T) {
	core, logs := observer.New(zapcore.DebugLevel)
	j := &journal.Journal{}
	r := j.Read(len(decisions))
	for _, tc := range decisions {
		j.Append(tc.d)
	}
	r.Close()
	logDecisions(zap.New(core), r, func(name string) string {
		if name == "" {
			return ""
		}
		return name + ".service"
	})
	entries := logs.All()
	if len(entries) != len(decisions) {
		t.Fatalf("%d entries of %d decisions", len(entries), len(decisions))
	}
	for i, e := range entries {
		tc, fields := decisions[i], e.ContextMap()
		if e.Level != tc.level || e.Message != tc.message || fields[journald.MessageID] != tc.id {
			t.Errorf("got %v %q %v, want %v %q %v", e.Level, e.Message, fields[journald.MessageID], tc.level, tc.message, tc.id)
		}
		if tc.d.Service != "" && (fields["service"] != "api" || fields[journald.Unit] != "api.service") {
			t.Errorf("%q: fields %v", e.Message, fields)
		}
	}
	if got := entries[0].ContextMap()["latency_ms"]; got != 2.5 {
		t.Errorf("latency_ms is %v", got)
	}
}

func TestASlowLogSaysWhatItLost(t *testing.T) {
	core, logs := observer.New(zapcore.DebugLevel)
	j := &journal.Journal{}
	r := j.Read(2)
	for i := range 10 {
		j.Append(service.Decision{Note: &service.Note{Message: fmt.Sprint(i)}})
	}
	r.Close()
	logDecisions(zap.New(core), r, func(string) string { return "" })
	e := logs.All()[0]
	if e.Message != "the log fell behind" || e.ContextMap()["lost"] != uint64(8) {
		t.Errorf("got %q %v", e.Message, e.ContextMap())
	}
}

// The message IDs are a promise: they stand in the document and in the catalog.
func TestMessageIDsAreDocumented(t *testing.T) {
	for _, name := range []string{"../../docs/architecture.md", "../../contrib/memsupd.catalog"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{idAlertRaised, idAlertResolved, idActionBegun, idActionEnded, idNote} {
			if !strings.Contains(string(b), id) {
				t.Errorf("%s: no %s", name, id)
			}
		}
	}
}

func TestRebaseKeepsAgesAcrossABoot(t *testing.T) {
	wall := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	then := service.Instant{Wall: wall, Boot: 10 * time.Hour}
	// Rebooted, four minutes later: what was a minute old is five minutes old.
	now := service.Instant{Wall: wall.Add(4 * time.Minute), Boot: time.Minute}
	old := 10*time.Hour - time.Minute
	if age := now.Boot - (old + rebase(then, now)); age != 5*time.Minute {
		t.Errorf("it is %v old", age)
	}
	now.Wall = wall.Add(-time.Hour) // a clock without a battery
	if age := now.Boot - (old + rebase(then, now)); age != time.Minute {
		t.Errorf("with a clock gone back it is %v old", age)
	}
}
