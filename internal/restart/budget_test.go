package restart

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/memsup/memsup/internal/service"
)

var policy = service.RestartPolicy{OnCritical: true, MaxRestarts: 3, Window: time.Hour, Cooldown: 5 * time.Minute}

func TestCooldownRunsFromTheEnd(t *testing.T) {
	b := Budget{}.Begin(policy, time.Minute, false)
	b.End(2 * time.Minute)
	if v := b.Ask(policy, 6*time.Minute); v.Allowed || v.Wait != time.Minute {
		t.Errorf("4 min after the end: %+v, want a wait of 1m", v)
	}
	if v := b.Ask(policy, 7*time.Minute); !v.Allowed {
		t.Errorf("5 min after the end: %+v, want allowed", v)
	}
}

func TestFirstRestartNeedsNoCooldownRightAfterBoot(t *testing.T) {
	if v := (&Budget{}).Ask(policy, time.Second); !v.Allowed {
		t.Errorf("got %+v", v)
	}
}

func TestGivingUpOutlastsTheWindow(t *testing.T) {
	b := Budget{}
	for i := range 3 {
		b = b.Begin(policy, time.Duration(i)*10*time.Minute, false)
	}
	if v := b.Ask(policy, 30*time.Minute); !v.Exhausted {
		t.Fatalf("after three: %+v", v)
	}
	if !b.GiveUp() || b.GiveUp() {
		t.Error("giving up is news once")
	}
	if v := b.Ask(policy, 100*time.Hour); !v.Exhausted {
		t.Errorf("a day later: %+v, want still given up", v)
	}
	b.Forgive()
	if v := b.Ask(policy, 100*time.Hour); !v.Allowed {
		t.Errorf("forgiven: %+v", v)
	}
}

func TestOperatorsRestartIsNotCounted(t *testing.T) {
	b := Budget{}.Begin(policy, time.Minute, true)
	if n := b.Used(policy, 2*time.Minute); n != 0 || b.Total != 1 {
		t.Errorf("used %d, total %d", n, b.Total)
	}
	if v := b.Ask(policy, 2*time.Minute); v.Allowed {
		t.Error("the cool-down must run from it")
	}
}

func TestRebaseKeepsAges(t *testing.T) {
	b := Budget{}.Begin(policy, 10*time.Hour, false)
	r := b.Rebase(-10*time.Hour - 3*time.Minute) // rebooted: it began three minutes before this boot's clock
	if v := r.Ask(policy, time.Minute); v.Wait != time.Minute {
		t.Errorf("got %+v, want a wait of 1m", v)
	}
	if *b.Last != 10*time.Hour {
		t.Error("the original changed")
	}
}

func TestBeginLeavesTheOriginal(t *testing.T) {
	a := Budget{}.Begin(policy, time.Minute, false)
	before, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	a.Begin(policy, 2*time.Minute, false)
	after, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(before), string(after)); diff != "" {
		t.Error(diff)
	}
}

// Whatever happens in whatever order, no two of memsupd's restarts are closer
// than the cool-down, and no window holds more than the budget.
func TestNeverMoreThanTheBudget(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := service.RestartPolicy{
			MaxRestarts: rapid.IntRange(0, 5).Draw(t, "max"),
			Window:      time.Duration(rapid.IntRange(1, 100).Draw(t, "window")) * time.Minute,
			Cooldown:    time.Duration(rapid.IntRange(0, 20).Draw(t, "cooldown")) * time.Minute,
		}
		var b Budget
		var starts []time.Duration
		now := time.Duration(0)
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now += time.Duration(rapid.IntRange(0, 600).Draw(t, "s")) * time.Second
			if v := b.Ask(p, now); !v.Allowed {
				if v.Reason == "" {
					t.Fatal("refused without a reason")
				}
				continue
			}
			if n := len(starts); n > 0 && now-starts[n-1] < p.Cooldown {
				t.Fatalf("restarts at %v and %v within the cool-down %v", starts[n-1], now, p.Cooldown)
			}
			b = b.Begin(p, now, false)
			starts = append(starts, now)
			in := 0
			for _, s := range starts {
				if s > now-p.Window {
					in++
				}
			}
			if in > p.MaxRestarts {
				t.Fatalf("%d restarts within %v, budget %d", in, p.Window, p.MaxRestarts)
			}
			if len(b.Starts) > p.MaxRestarts {
				t.Fatalf("budget remembers %d starts", len(b.Starts))
			}
		}
	})
}
