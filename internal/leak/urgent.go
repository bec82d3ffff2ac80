package leak

import "math"

// urgent is the short rule, for a fuse too short for windows: most of the limit is in
// use, the last six slots rose evenly, and as much again will hit it. It fills t.
func (d *Detector) urgent(t *trend) bool {
	const n, known = 6, 10
	top := float64(d.floors.peak[d.floors.newest%peaks])
	if d.limit <= 0 || d.floors.n < known || !(top >= nearLimit*d.limit) {
		return false
	}
	// A sawtooth that lives near its limit rises evenly too, to where it was before.
	for age := int64(n); age < min(int64(d.floors.n), peaks); age++ {
		if float64(d.floors.peak[(d.floors.newest-age)%peaks]) >= top-minRise*d.limit {
			return false
		}
	}
	*t = trend{size: n}
	l := &t.line
	for i := range n {
		at := (d.floors.newest - n + 1 + int64(i)) % slots
		sum := 0.0
		for k := range kinds {
			sum += float64(d.floors.low[k][at])
		}
		if math.IsNaN(sum) {
			return false
		}
		l.add(float64(i), sum)
	}
	t.b = l.slope()
	if t.b.low <= 0 || l.y[n-1]-l.y[0] < d.limit-top {
		return false
	}
	for i := 1; i < n; i++ {
		if l.y[i]-l.y[i-1] < t.b.mid/2 {
			return false
		}
	}
	return true
}

// fastest is the kind that grew most within the last six slots.
func (d *Detector) fastest() series {
	best, most := private, math.Inf(-1)
	for k := range kinds {
		low := &d.floors.low[k]
		grown := float64(low[d.floors.newest%slots] - low[(d.floors.newest-5)%slots])
		if grown > most {
			best, most = k, grown
		}
	}
	return best
}
