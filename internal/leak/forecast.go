package leak

import (
	"math"
	"time"
)

// forecast says when the limit will be hit at the present rate. A sawtooth hits it with
// a peak, long before its floors would: the highest of the recent peaks counts, moved
// on by the growth since. So does a day, with the highest floor of a whole cycle.
func (d *Detector) forecast() {
	d.v.ToLimit = Forecast{}
	if d.limit <= 0 {
		return
	}
	f, rate := &d.floors, d.v.Rate
	n := min(int64(f.n), peaks)
	top, before, after := 0.0, 0.0, 0.0
	for age := range n {
		peak := float64(f.peak[(f.newest-age)%peaks])
		if !(peak > 0) {
			continue // a gap
		}
		top = math.Max(top, peak+rate.Value*perSlot*float64(age))
		if age < n/2 {
			after = math.Max(after, peak)
		} else {
			before = math.Max(before, peak)
		}
	}
	// What grows in swap alone hits no limit of memory.
	if d.swap > 0 && before > 0 && after-before < 0.25*rate.Value*perSlot*float64(n/2) {
		return
	}
	for age := range int64(min(d.cycle, f.n)) {
		at, sum := (f.newest-age)%slots, rate.Value*perSlot*float64(age)-d.swap
		for k := range f.low {
			sum += float64(f.low[k][at])
		}
		if sum > top { // NaN, a gap, is not
			top = sum
		}
	}
	room := math.Max(0, d.limit-top)
	d.v.ToLimit = Forecast{Known: true, Value: fill(room, rate.Value), Low: fill(room, rate.High), High: fill(room, rate.Low)}
}

// fill is how long it takes to fill room, in bytes, at a rate in bytes a minute.
func fill(room, rate float64) time.Duration {
	t := room / rate * float64(time.Minute)
	if !(rate > 0 && t < float64(horizon)) {
		return horizon
	}
	return time.Duration(t)
}
