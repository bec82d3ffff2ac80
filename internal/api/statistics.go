package api

import (
	"slices"
	"time"

	contract "github.com/memsup/memsup/api"
	"github.com/memsup/memsup/internal/service"
)

const (
	leastForGrowth = 3       // points that a line is fitted through
	megabyte       = 1 << 20 // as in MemoryMax=256M
)

// statistics sums up the recent past of a service: of its present life alone,
// because a restart in the middle would look like memory given back. What does
// not run has no present life.
func statistics(st service.Status, recent []service.Point) contract.Statistics {
	points := slices.DeleteFunc(slices.Clone(recent), func(p service.Point) bool {
		return st.RunningSince.IsZero() || p.At.Before(st.RunningSince)
	})
	out := contract.Statistics{Samples: len(points), Limit: st.Limits.Max}
	if st.Sample != nil {
		current, workingSet := st.Sample.Current, st.Sample.WorkingSet
		out.Current, out.WorkingSet = &current, &workingSet
		if most, ok := st.Limits.Max.Bytes(); ok && most > 0 {
			usage := float64(workingSet) / float64(most)
			out.Usage = &usage
		}
	}
	if len(points) == 0 {
		return out
	}
	out.WindowSeconds = max(points[len(points)-1].At.Sub(points[0].At).Seconds(), 0)
	sizes := make([]uint64, len(points))
	var sum float64
	for i, p := range points {
		sizes[i] = p.WorkingSet
		sum += float64(p.WorkingSet)
	}
	slices.Sort(sizes)
	mean := sum / float64(len(sizes))
	out.Min, out.Max, out.Mean = &sizes[0], &sizes[len(sizes)-1], &mean
	out.P95 = &sizes[(len(sizes)*95+99)/100-1] // the nearest rank
	if rate, ok := growth(points); ok {
		out.GrowthRate = &rate
	}
	return out
}

// growth returns the slope of the least-squares line through the working set, in
// MB a minute, or false when the points do not make a line.
func growth(points []service.Point) (float64, bool) {
	if len(points) < leastForGrowth {
		return 0, false
	}
	// Relative to the first point, so that the squares keep their precision.
	first := points[0]
	var n, sumT, sumM, sumTT, sumTM float64
	for _, p := range points {
		t := float64(p.At.Sub(first.At)) / float64(time.Minute)
		m := (float64(p.WorkingSet) - float64(first.WorkingSet)) / megabyte
		n, sumT, sumM, sumTT, sumTM = n+1, sumT+t, sumM+m, sumTT+t*t, sumTM+t*m
	}
	spread := n*sumTT - sumT*sumT
	if spread <= 0 {
		return 0, false // all at one time
	}
	return (n*sumTM - sumT*sumM) / spread, true
}
