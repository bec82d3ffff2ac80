package leak

import (
	"testing"
	"time"
)

func TestThreshold(t *testing.T) {
	for name, tc := range map[string]struct {
		rate    float64 // MiB a minute
		samples int
		limit   float64 // MiB a minute; 0: 5
		want    bool
	}{
		"above":              {6, 10, 0, true},
		"below":              {4, 10, 0, false},
		"too few samples":    {600, 9, 0, false},
		"falling":            {-6, 10, 0, false},
		"a limit of its own": {6, 10, 7, false},
		"for long":           {6, 57, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := Threshold{Growth: tc.limit * mib}
			var suspected bool
			var growth float64
			for i := range tc.samples {
				at := time.Duration(i) * 10 * time.Second
				suspected, growth = r.Observe(at, size(1000+tc.rate*at.Minutes()))
			}
			if suspected != tc.want {
				t.Errorf("suspected %v at %.1f MiB/min", suspected, growth/mib)
			}
			if tc.samples >= 10 && (growth/mib < tc.rate-0.01 || growth/mib > tc.rate+0.01) {
				t.Errorf("growth %.3f MiB/min, want %.3f", growth/mib, tc.rate)
			}
		})
	}
}

func TestThresholdBeginsAnew(t *testing.T) {
	var r Threshold
	at := time.Duration(0)
	grow := func(n int) (suspected bool) {
		for range n {
			at += 10 * time.Second
			suspected, _ = r.Observe(at, size(10*at.Minutes()))
		}
		return suspected
	}
	if !grow(10) {
		t.Fatal("10 MiB a minute is not suspected")
	}
	if held, _ := r.Observe(at-time.Minute, 0); !held {
		t.Error("an old sample changed the verdict")
	}
	r.Restarted()
	if grow(9) {
		t.Error("suspected after nine samples of a new run")
	}
	if !grow(1) {
		t.Error("not suspected after ten")
	}
}
