package leak

import "math"

// windows are the trailing windows asked, in slots: 48 min to 12 h.
var windows = [...]int{
	24, 26, 28, 30, 32, 34, 36, 38, 40, 43, 46, 50, 55, 60, 66, 73, 80, 88, 97, 108,
	120, 136, 152, 172, 194, 218, 246, 278, 312, 360,
}

// trend is what a window shows. Sizes are bytes, times are slots.
type trend struct {
	line     line
	b        slope
	grown    float64
	scatter  float64
	size     float64 // of the window
	cycle    int     // that it grows under; 0: none
	evidence float64 // minutes of patience used up
}

// refusal is why a trend is no leak; "" when it is one.
type refusal string

const (
	short     refusal = "the run is too young"
	gaps      refusal = "too many gaps"
	small     refusal = "hardly any growth"
	falls     refusal = "floors fall again"
	noisy     refusal = "within the noise"
	steps     refusal = "a few large steps"
	levelling refusal = "levels off"
	seen      refusal = "has been there before"
	impatient refusal = "not for long enough"
)

// window asks the newest size slots of v. high is the level that earlier runs held.
func (d *Detector) window(v *view, size int, high float64) (t trend, no refusal) {
	start := v.n - size
	if start < 0 {
		return t, short
	}
	if _, _, ok := v.least(start, start+size/buckets); !ok {
		return t, gaps // it would be another window
	}
	t.line = v.line(start, size)
	l := &t.line
	if l.n < buckets*2/3 {
		return t, gaps
	}
	first, last := l.y[0], l.y[l.n-1]
	if last-first < minRise*d.scale() {
		return t, small
	}
	if l.tau() < minTau {
		return t, falls
	}
	t.b = l.slope()
	if t.b.low <= 0 {
		return t, noisy
	}
	t.size = float64(size)
	t.grown = t.b.mid * (l.x[l.n-1] - l.x[0])
	t.scatter = l.scatter(t.b.mid)
	if l.without(2) < minSteady*t.grown {
		return t, steps
	}
	early, late := l.halves()
	if late < minLate*early || l.tail(l.n/4) < minTail*t.b.mid {
		return t, levelling
	}
	before := math.Max(high, v.highest(start, size/buckets))
	if last-math.Max(first, before) < minNews*(last-first) {
		return t, seen
	}
	need := patience
	if v.flat(start, t.b.mid) {
		need = patienceFlat
	}
	// Of a window that begins before the growth does, only the growth counts.
	return t, d.wait(&t, math.Min(t.size, (last-first)/late), need)
}

// line returns the least floors of twelve equal parts of size slots from start on;
// parts without a sample are left out.
func (v *view) line(start, size int) (l line) {
	for i := range buckets {
		if x, y, ok := v.least(start+i*size/buckets, start+(i+1)*size/buckets); ok {
			l.add(x, y)
		}
	}
	return l
}

// highest is the highest floor before slot end, of as many slots as a part has.
func (v *view) highest(end, width int) float64 {
	top := math.Inf(-1)
	for to := end; to > 0; to -= width {
		if _, y, ok := v.least(to-width, to); ok {
			top = math.Max(top, y)
		}
	}
	return top
}

// flat reports whether the 40 minutes before slot end did not grow like b.
func (v *view) flat(end int, b float64) bool {
	if end < 20 {
		return false
	}
	x0, y0, ok0 := v.least(end-20, end-10)
	x1, y1, ok1 := v.least(end-10, end)
	return ok0 && ok1 && math.Abs(y1-y0) < 0.3*b*(x1-x0)
}

// wait weighs growth that lasted so many slots against the patience needed, in minutes.
func (d *Detector) wait(t *trend, lasted, need float64) refusal {
	t.evidence = lasted * perSlot * math.Min(1, t.grown/d.headroom())
	if d.floors.busy(int(t.size)) {
		need *= 2 // it may be the load that grows
	}
	if t.evidence+d.past.carried(t.b.mid) < need {
		return impatient
	}
	return ""
}
