package leak

import (
	"testing"
	"time"
)

func TestEvidence(t *testing.T) {
	rate := func(v, err float64) Interval { return Interval{v * mib, (v - err) * mib, (v + err) * mib} }
	for want, v := range map[string]Verdict{
		"no leak is suspected": {},
		"rising floors for 3 h 10 min, 1.9 ± 0.1 MB/min, anon": {
			Suspected: true, Class: Anon, Rate: rate(1.9, 0.1), Over: 190 * time.Minute},
		"rising floors for 12 min, 81 ± 2 MB/min, kernel, at the limit in 2 min": {
			Suspected: true, Class: Kernel, Rate: rate(81, 2), Over: 12 * time.Minute,
			ToLimit: Forecast{Known: true, Value: 110 * time.Second}},
		"rising floors for 12 h, 0.020 ± 0.003 MB/min, file, at the limit in 5 d": {
			Suspected: true, Class: File, Rate: rate(0.02, 0.003), Over: 12 * time.Hour,
			ToLimit: Forecast{Known: true, Value: 125 * time.Hour}},
		"rising floors for 1 h, 1.00 ± 0.00 MB/min, anon": {
			Suspected: true, Class: Anon, Rate: rate(1, 0), Over: time.Hour},
	} {
		if got := v.Evidence(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
