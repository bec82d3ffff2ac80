package leak

import "math"

// past is what earlier runs of the same program left behind. A level that a run held
// is where the next one will go, so that its way there is a warm-up; growth that a
// restart cut off goes on where it was, as far as the evidence is concerned.
type past struct {
	high     [kinds]float64 // levels held, bytes
	evidence float64        // minutes of patience used up by growth that was cut off
	rate     float64        // of that growth, bytes a slot
}

// carried is the evidence of earlier runs for growth at rate b: it counts when they
// grew alike, within a factor of two.
func (p *past) carried(b float64) float64 {
	if p.rate <= 0 || b > 2*p.rate || b < p.rate/2 {
		return 0
	}
	return p.evidence
}

// remember keeps what the run that ends has shown. Half an hour shows something.
func (d *Detector) remember() {
	if d.floors.n < 15 {
		return
	}
	each := d.forks.share()
	t, _, no := d.find(each, true)
	if no == "" || no == impatient {
		d.past.evidence = d.past.carried(t.b.mid) + t.evidence
		d.past.rate = t.b.mid
		return
	}
	if d.v.Suspected {
		return
	}
	d.past.evidence, d.past.rate = 0, 0
	var v view
	for k := range kinds {
		if k != private {
			each = 0
		}
		d.floors.look(&v, k, each)
		// No two runs level off at the same byte.
		if _, y, ok := v.least(v.n-5, v.n); ok {
			d.past.high[k] = math.Max(d.past.high[k], 1.03*y)
		}
	}
}
