package leak

import (
	"math"
	"slices"
)

const (
	phases    = 12 // of a cycle
	cycles    = 3  // looked at, at most; 2 at least
	quarter   = phases / 4
	alike     = 0.75 // the least growth over a cycle against the median: all are alike
	pause     = 0.3  // growth of a quarter against the mean that is a pause
	unevenly  = 4    // the largest steps, which must not be half of the growth
	leastPart = 0.5
)

// lags are the lengths of a cycle tried, in slots: 40 min to 5 h.
var lags = [...]int{20, 22, 24, 27, 30, 33, 36, 40, 44, 48, 52, 56, 60, 65, 70, 75, 80, 86, 92, 98, 105, 112, 120, 128, 138, 150}

// season asks whether v grows under a cycle of lag slots: each floor is compared with
// the one a cycle before, phase by phase, as the seasonal Kendall test does (Hirsch,
// Slack and Smith 1982). A cycle alone leaves nothing; growth leaves a cycle's worth.
func (d *Detector) season(v *view, lag int, high float64) (t trend, no refusal) {
	n := min(cycles*phases, v.n*phases/lag)
	if n < 2*phases {
		return t, short
	}
	var floors [cycles * phases]float64 // the oldest first; Inf: a gap
	y := floors[:n]
	for j := range n {
		_, y[n-1-j], _ = v.least(v.n-(j+1)*lag/phases, v.n-j*lag/phases)
	}
	var all [cycles * phases]float64
	s := differences(all[:0], y, phases)
	if len(s) < phases {
		return t, gaps
	}
	early, late := mean(s[:len(s)/2]), mean(s[len(s)/2:])
	if early <= 0 || late < minLate*early {
		return t, levelling
	}
	slices.Sort(s)
	mid, low, high90 := median(s), s[len(s)/10], s[len(s)-1-len(s)/10]
	if mid < minRise/2*d.scale() {
		return t, small
	}
	if low < leastPart*mid {
		return t, noisy
	}
	if !cyclic(y, mid, low) {
		return t, steps // the windows judge it
	}
	top := math.Inf(-1)
	for _, floor := range y[n-phases:] {
		if !math.IsInf(floor, 0) {
			top = math.Max(top, floor)
		}
	}
	if top-math.Max(high, v.highest(v.n-lag, max(1, lag/phases))) < minNews*mid {
		return t, seen
	}
	l := float64(lag)
	t.b = slope{mid / l, low / l, high90 / l}
	t.size = float64(n) / phases * l
	t.cycle = lag
	t.grown = t.b.mid * t.size
	t.scatter = (s[len(s)*3/4] - s[len(s)/4]) / 1.35
	return t, d.wait(&t, t.size, patience)
}

// cyclic reports whether floors go up and down with a cycle over which they grow by
// mid: by a fall of half of that at least, or, as of a leak that follows the load, by
// a quarter of a cycle without growth though every phase grew alike.
func cyclic(y []float64, mid, low float64) bool {
	top, fall := math.Inf(-1), 0.0
	for _, floor := range y {
		if !math.IsInf(floor, 0) {
			top = math.Max(top, floor)
			fall = math.Max(fall, top-floor)
		}
	}
	if fall >= leastPart*mid {
		return true
	}
	var all [cycles * phases]float64
	quarters := differences(all[:0], y, quarter)
	if low < alike*mid || len(quarters) == 0 || slices.Min(quarters) > pause*mid/4 {
		return false
	}
	single := differences(all[:0], y, 1)
	slices.Sort(single)
	sum := 0.0
	for _, step := range single[:max(0, len(single)-unevenly)] {
		sum += step
	}
	return sum >= leastPart*mid*float64(len(y)-phases)/phases
}

// differences appends to s how much each floor is above the one lag before it. Where
// one of them is a gap there is none.
func differences(s, y []float64, lag int) []float64 {
	for j := lag; j < len(y); j++ {
		if diff := y[j] - y[j-lag]; !math.IsInf(diff, 0) && !math.IsNaN(diff) {
			s = append(s, diff)
		}
	}
	return s
}
