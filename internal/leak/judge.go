package leak

import (
	"math"
	"time"
)

// scale is what growth is measured against, in bytes: the limit, or without one what
// is in use.
func (d *Detector) scale() float64 {
	if d.limit > 0 {
		return d.limit
	}
	return math.Max(d.resident(), 1<<20)
}

// resident is what counts against the limit, by the newest floors, in bytes.
func (d *Detector) resident() float64 {
	i, sum := d.floors.newest%slots, -d.swap
	for k := range d.floors.low {
		sum += float64(d.floors.low[k][i])
	}
	return math.Max(0, sum)
}

// headroom is what is left up to the limit, in bytes. A service without a limit has as
// much again as it uses, and one that lives at its limit has a little.
func (d *Detector) headroom() float64 {
	if d.limit <= 0 {
		return d.scale()
	}
	return math.Max(d.limit-d.resident(), minRise*d.limit)
}

// find returns the window with the least scatter of all that look like a leak. A window
// is asked once in a twelfth of its length, for about that long it looks the same, and
// not all in the same slot; always asks them all.
func (d *Detector) find(each float64, always bool) (best trend, kind series, no refusal) {
	no = short
	better := func(k series, t trend, why refusal) {
		switch {
		case why == "" && (no != "" || t.scatter*best.grown < best.scatter*t.grown),
			why == impatient && no != "" && t.evidence > best.evidence:
			best, kind, no = t, k, why
		}
	}
	var v view
	for k := range kinds {
		share := 0.0
		if k == private {
			share = each
		}
		d.floors.look(&v, k, share)
		rise := v.rise()
		if rise < minRise*d.scale() {
			continue
		}
		// A slope may show more growth than there was, but not half as much again.
		weight := math.Min(1, 1.5*rise/d.headroom()) * perSlot
		for i, size := range windows {
			if size > v.n {
				break
			}
			if !always && float64(size)*weight+d.past.evidence < patienceFlat {
				continue // no patience is used up yet
			}
			if always || (d.floors.newest+int64(i))%int64(size/buckets) == 0 {
				t, why := d.window(&v, size, d.past.high[k])
				better(k, t, why)
			}
		}
		for i, lag := range lags {
			if v.n < 2*lag {
				break
			}
			if always || (d.floors.newest+int64(i))%int64(lag/4) == 0 {
				t, why := d.season(&v, lag, d.past.high[k])
				better(k, t, why)
			}
		}
	}
	return best, kind, no
}

// judge looks at the floors after a slot was added and returns whether the verdict is
// news.
func (d *Detector) judge() bool {
	each := d.forks.share()
	t, kind, no := trend{}, private, short
	// What is known already is brought up to date every twelve minutes.
	if !d.v.Suspected || d.floors.newest%6 == 0 {
		t, kind, no = d.find(each, d.v.Suspected)
	}
	switch {
	case no == "":
		d.suspect(t, kind, each)
		d.cycle = t.cycle
	case d.urgent(&t):
		d.v = Verdict{Suspected: true, Class: classes[d.fastest()], Urgent: true}
		d.cycle = 0
		d.rate(t.b, t.size)
	case d.v.Suspected && d.over(each):
		d.v = Verdict{}
	}
	if d.v.Suspected {
		d.forecast()
	}
	if d.v.Suspected == d.told.Suspected && d.v.Class == d.told.Class &&
		math.Abs(d.v.Rate.Value-d.told.Rate.Value) <= 0.02*d.told.Rate.Value {
		return false
	}
	d.told = d.v
	return true
}

// rate sets the growth of the verdict from a slope over size slots.
func (d *Detector) rate(b slope, size float64) {
	d.v.Rate = Interval{Value: b.mid / perSlot, Low: b.low / perSlot, High: b.high / perSlot}
	d.v.Over = time.Duration(size * float64(slot))
}

// suspect turns a trend of one kind into the verdict. The same fault may feed another
// kind, as an open file has both memory of its own and of the kernel; that growth counts
// towards the limit, and the larger one gives the class.
func (d *Detector) suspect(t trend, kind series, each float64) {
	sum, class := t.b, kind
	var v view
	for k := range kinds {
		if k == kind {
			continue
		}
		share := 0.0
		if k == private {
			share = each
		}
		d.floors.look(&v, k, share)
		l := v.line(v.n-int(t.size), int(t.size))
		if l.n < buckets*2/3 || l.tau() < minTau {
			continue
		}
		if b := l.slope(); b.mid > 0.05*t.b.mid && b.low > 0 {
			sum = slope{sum.mid + b.mid, sum.low + b.low, sum.high + b.high}
			if b.mid > t.b.mid {
				class = k
			}
		}
	}
	d.v = Verdict{Suspected: true, Class: classes[class]}
	d.rate(sum, t.size)
}

// over reports whether the growth that is suspected has stopped: over a quarter of the
// time that it took, a whole cycle and 40 minutes at least, it was less than a quarter of
// the rate.
func (d *Detector) over(each float64) bool {
	var v view
	kind := private
	for k := range kinds {
		if classes[k] == d.v.Class {
			kind = k
		}
	}
	if kind != private {
		each = 0
	}
	d.floors.look(&v, kind, each)
	hold := max(20, d.cycle, int(d.v.Over/slot)/4)
	if v.n < 2*hold {
		return false
	}
	x0, y0, ok0 := v.least(v.n-2*hold, v.n-hold)
	x1, y1, ok1 := v.least(v.n-hold, v.n)
	return ok0 && ok1 && y1-y0 < 0.25*d.v.Rate.Value*perSlot*math.Max(x1-x0, float64(hold)/2)
}
