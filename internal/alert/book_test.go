package alert

import (
	"testing"
	"time"

	"github.com/memsup/memsup/internal/service"
)

func at(s int) service.Instant { return service.Instant{Boot: time.Duration(s) * time.Second} }

func TestMarkTremblesOnce(t *testing.T) {
	m := Mark{Raise: 0.85, Clear: 0.82}
	over, changes := false, 0
	for _, v := range []float64{0.84, 0.85, 0.849, 0.82, 0.86, 0.8199, 0.82, 0.849} {
		if now := m.Over(over, v); now != over {
			over, changes = now, changes+1
		}
	}
	if over || changes != 2 {
		t.Errorf("%d changes, over %v; want one rise and one fall", changes, over)
	}
}

func TestRuleFiresOnceUntilItIsResolved(t *testing.T) {
	var b Book
	first, fresh := b.Raise(at(1), service.Alert{Rule: "r", Service: "api", Value: 1})
	if !fresh || first.ID != "api/r/1" || first.State != service.Firing {
		t.Fatalf("fresh %v: %+v", fresh, first)
	}
	again, fresh := b.Raise(at(2), service.Alert{Rule: "r", Service: "api", Value: 2})
	if fresh || again.ID != first.ID || again.Value != 2 || again.Since != at(1) || again.Updated != at(2) {
		t.Errorf("raised again, fresh %v: %+v", fresh, again)
	}
	end := b.Resolve(at(3), "r", "over")
	if end == nil || end.State != service.Resolved || *end.Ended != at(3) || end.Message != "over" {
		t.Errorf("resolved: %+v", end)
	}
	if b.Resolve(at(4), "r", "over") != nil || len(b.Alerts()) != 0 {
		t.Error("it ended twice")
	}
	if next, fresh := b.Raise(at(5), service.Alert{Rule: "r", Service: "api"}); !fresh || next.ID != "api/r/2" {
		t.Errorf("the next one, fresh %v: %+v", fresh, next)
	}
}

func TestAlertsAreTheMostSevereFirstThenTheOldest(t *testing.T) {
	var b Book
	for i, s := range []service.Severity{service.Info, service.Critical, service.Warning, service.Critical} {
		b.Raise(at(i), service.Alert{Rule: string(rune('a' + i)), Severity: s, Victims: []service.Victim{{PID: 1}}})
	}
	got := ""
	for _, a := range b.Alerts() {
		got += a.Rule
		a.Victims[0].PID = 2 // a copy
	}
	if got != "bdca" || b.Get("a").Victims[0].PID != 1 {
		t.Errorf("order %q, %+v", got, b.Get("a"))
	}
}
