package leak

import (
	"math"
	"time"
)

// clock measures the CPU time used in a slot.
type clock struct {
	at, used time.Duration // of the newest sample
	over     time.Duration // measured
	sum      time.Duration // used in it
	known    bool
}

// see takes a reading of cpu.stat. A counter that goes back began anew.
func (c *clock) see(at, used time.Duration) {
	if c.known && used >= c.used && at > c.at {
		c.over += at - c.at
		c.sum += used - c.used
	}
	c.at, c.used, c.known = at, used, used > 0
}

// load is the share of one CPU used since the last call; NaN when it is unknown.
func (c *clock) load() float64 {
	l := math.NaN()
	if c.over > 0 {
		l = float64(c.sum) / float64(c.over)
	}
	c.over, c.sum = 0, 0
	return l
}

// busy reports whether the CPU use in the last third of the newest size slots is well
// above that in the first.
func (f *floors) busy(size int) bool {
	third := min(size, f.n) / 3
	before, ok0 := f.meanLoad(3*third-1, third)
	after, ok1 := f.meanLoad(third-1, third)
	return ok0 && ok1 && after > busier*before
}

// meanLoad is the mean load of n slots, the first of which is back slots before the
// newest; ok is false when none of them knows it.
func (f *floors) meanLoad(back, n int) (load float64, ok bool) {
	sum, known := 0.0, 0
	for i := range n {
		if l := float64(f.load[(f.newest-int64(back-i))%slots]); !math.IsNaN(l) {
			sum += l
			known++
		}
	}
	return sum / float64(known), known > 0
}
