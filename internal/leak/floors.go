package leak

import (
	"math"
	"time"
)

const (
	slot    = 2 * time.Minute // a floor is the minimum of this long
	slots   = 360             // floors kept: 12 h
	peaks   = 32              // peaks kept: 64 min
	perSlot = float64(slot / time.Minute)
)

// floors is the recent past of one run, one entry a slot. A slot without a sample is
// NaN, so that a gap is neither zero nor a straight line.
type floors struct {
	low    [kinds][slots]float32 // the least of each series, bytes
	load   [slots]float32        // CPU time used, as a share of one CPU; NaN: unknown
	procs  [slots]uint16         // the fewest processes
	peak   [peaks]float32        // the most resident memory, bytes
	newest int64                 // number of the newest slot
	n      int                   // slots kept
}

// entry is one closed slot.
type entry struct {
	low   [kinds]float64
	load  float64
	peak  float64
	procs int
}

var gap = entry{low: [kinds]float64{math.NaN(), math.NaN(), math.NaN()}, load: math.NaN(), peak: math.NaN()}

// begin forgets all; the next slot is number 0.
func (f *floors) begin() { f.newest, f.n = -1, 0 }

// add appends slot number, which is above the newest; those between are gaps, no more
// than are kept.
func (f *floors) add(number int64, e entry) {
	for f.newest < number-1 {
		f.push(gap)
	}
	f.push(e)
}

func (f *floors) push(e entry) {
	f.newest++
	f.n = min(f.n+1, slots)
	i := f.newest % slots
	for k := range e.low {
		f.low[k][i] = float32(e.low[k])
	}
	f.load[i] = float32(e.load)
	f.procs[i] = uint16(min(e.procs, math.MaxUint16))
	f.peak[f.newest%peaks] = float32(e.peak)
}

// view is one series of floors in order, the oldest first, bytes.
type view struct {
	y [slots]float64
	n int
}

// look fills v with series k, less what processes bring: each is a process's share of
// the private memory, and 0 leaves the floors as they are.
func (f *floors) look(v *view, k series, each float64) {
	v.n = f.n
	oldest := int((f.newest - int64(f.n) + 1) % slots)
	for j := range f.n {
		i := oldest + j
		if i >= slots {
			i -= slots
		}
		v.y[j] = float64(f.low[k][i]) - each*float64(f.procs[i])
	}
}

// least returns the least floor of slots from to to-1 and its place; ok is false when
// all of them are gaps.
func (v *view) least(from, to int) (x, y float64, ok bool) {
	from = max(0, from)
	at, y := -1, math.Inf(1)
	if from < to {
		for i, floor := range v.y[from:to] {
			if floor < y { // NaN is not
				at, y = from+i, floor
			}
		}
	}
	return float64(at), y, at >= 0
}

// rise is how far the newest hour is above the least floor, in bytes: no trend has
// grown more.
func (v *view) rise() float64 {
	_, low, ok := v.least(0, v.n)
	if !ok {
		return 0
	}
	top := low
	for _, y := range v.y[max(0, v.n-slots/12):v.n] {
		if y > top {
			top = y
		}
	}
	return top - low
}
