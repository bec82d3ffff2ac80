package api

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/memsup/memsup/internal/limit"
	"github.com/memsup/memsup/internal/service"
)

// points are of the given sizes in MB, one a minute from noon on.
func points(sizes ...float64) []service.Point {
	out := make([]service.Point, len(sizes))
	for i, mb := range sizes {
		out[i] = service.Point{At: noon.Add(time.Duration(i) * time.Minute), WorkingSet: uint64(mb * mib)}
	}
	return out
}

func running() service.Status { return service.Status{Phase: service.Running, RunningSince: noon} }

func TestGrowthRate(t *testing.T) {
	const none = -1
	for name, tc := range map[string]struct {
		points []service.Point
		want   float64
	}{
		"nothing":                 {nil, none},
		"two points":              {points(1, 2), none},
		"a leak of 5 MB a minute": {points(100, 105, 110, 115), 5},
		"flat":                    {points(100, 100, 100), 0},
		"noise about a line":      {points(0, 3, 2, 5, 4), 1},
		"far from zero":           {points(1<<20, 1<<20+1, 1<<20+2), 1},
		"all at one time":         {[]service.Point{{At: noon}, {At: noon}, {At: noon}}, none},
	} {
		got := statistics(running(), tc.points).GrowthRate
		if tc.want == none {
			if got != nil {
				t.Errorf("%s: %v, want none", name, *got)
			}
		} else if got == nil || math.Abs(*got-tc.want) > 1e-9 {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

func TestOnlyThePresentLifeCounts(t *testing.T) {
	st := running()
	st.RunningSince = noon.Add(2 * time.Minute)
	got := statistics(st, points(900, 950, 100, 101, 102))
	if got.Samples != 3 || *got.Max != 102*mib || *got.GrowthRate != 1 || got.WindowSeconds != 120 {
		t.Errorf("got %+v", got)
	}
	if got := statistics(service.Status{Phase: service.Failed}, points(1, 2, 3)); got.Samples != 0 || got.Min != nil || got.GrowthRate != nil {
		t.Errorf("of what does not run: %+v", got)
	}
}

func TestUsageIsOfAKnownLimit(t *testing.T) {
	for _, tc := range []struct {
		limit limit.Value
		want  float64
	}{
		{limit.Bytes(200), 0.5}, {limit.Bytes(0), -1}, {limit.Max, -1}, {limit.Absent, -1},
	} {
		st := running()
		st.Sample, st.Limits.Max = &service.Sample{Current: 150, WorkingSet: 100}, tc.limit
		got := statistics(st, nil)
		if got.Limit != tc.limit || (got.Usage == nil) != (tc.want < 0) || got.Usage != nil && *got.Usage != tc.want {
			t.Errorf("%v: limit %v, usage %v", tc.limit, got.Limit, got.Usage)
		}
	}
}

func TestStatisticsAreInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOfN(rapid.Float64Range(0, 1e6), 1, 100).Draw(t, "MB")
		recent := points(sizes...)
		got := statistics(running(), recent)
		if *got.Min > *got.P95 || *got.P95 > *got.Max || *got.Mean < float64(*got.Min)*0.999999 || *got.Mean > float64(*got.Max)*1.000001 {
			t.Errorf("min %d, p95 %d, max %d, mean %f", *got.Min, *got.P95, *got.Max, *got.Mean)
		}
		above := 0
		for i, p := range recent {
			if p.WorkingSet > *got.P95 {
				above++
			}
			if p.WorkingSet != uint64(sizes[i]*mib) {
				t.Fatal("the points that were given were changed")
			}
		}
		if above*20 > len(recent) {
			t.Errorf("%d of %d are above p95", above, len(recent))
		}
	})
}
