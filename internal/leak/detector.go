package leak

import (
	"math"
	"slices"
	"time"
)

// Detector follows one service. The zero Detector has seen nothing. It holds no
// pointers to anything it shares, but must not be copied once it is used.
type Detector struct {
	floors  floors
	running bool
	origin  time.Duration // when the run was first seen, or the floors begin
	newest  time.Duration // of the newest sample

	number int64 // of the open slot
	open   entry
	cpu    clock
	limit  float64 // bytes; 0: none
	swap   float64 // bytes

	forks forks
	past  past
	v     Verdict
	cycle int     // of the newest trend, in slots; 0: none
	told  Verdict // the newest verdict that was news
}

// Observe takes a sample read at a moment on a steady clock, and returns the verdict
// and whether it is news: suspicion begins or ends, or the class or rate changes.
//
// A sample older than the newest is ignored; when it is older by more than an hour
// the clock has been set, and a new run begins, as it does after twelve hours without a
// sample. A sample without processes ends the run. The verdict at a moment depends on nothing after it.
func (d *Detector) Observe(at time.Duration, s Sample) (Verdict, bool) {
	if d.running && at < d.newest {
		if d.newest-at <= time.Hour {
			return d.v, false
		}
		d.running = false
	}
	if s.Procs <= 0 {
		return d.Restarted()
	}
	changed := false
	if d.running && at-d.newest > slots*slot {
		changed = d.told.Suspected
		d.running, d.v, d.told = false, Verdict{}, Verdict{} // nothing that is known is still true
	}
	if !d.running {
		d.running, d.origin, d.number = true, at, 0
		d.floors.begin()
		d.empty()
		d.cpu = clock{}
	}
	if n := int64((at - d.origin) / slot); n > d.number {
		d.open.load = d.cpu.load()
		d.forks.see(&d.floors, d.number, &d.open)
		d.floors.add(d.number, d.open)
		d.number = n
		changed = d.judge()
		d.empty()
	}
	d.newest = at
	d.limit, d.swap = float64(s.Limit), float64(s.Swap)
	for k, v := range s.split() {
		d.open.low[k] = math.Min(d.open.low[k], v)
	}
	d.open.peak = math.Max(d.open.peak, s.resident())
	d.open.procs = min(d.open.procs, s.Procs)
	d.cpu.see(at, s.CPU)
	return d.v, changed
}

// Restarted ends the run: the service went down and came back. The same program will
// do what it did before, so what this run showed helps to judge the next.
func (d *Detector) Restarted() (Verdict, bool) {
	if d.running {
		d.remember()
		d.running = false
	}
	changed := d.told.Suspected
	d.v, d.told = Verdict{}, Verdict{}
	return d.v, changed
}

// Deployed ends the run like [Detector.Restarted] and forgets the earlier ones:
// another program runs from now on.
func (d *Detector) Deployed() (Verdict, bool) {
	d.running = false
	d.past = past{}
	d.forks = forks{}
	return d.Restarted()
}

func (d *Detector) empty() {
	d.open = entry{procs: math.MaxInt}
	for k := range d.open.low {
		d.open.low[k] = math.Inf(1)
	}
}

// forks is how much private memory came and went with a process, when their number
// changed: the last eight times, bytes.
type forks struct {
	each [8]float64
	n    int
}

// see compares a slot with the one before it.
func (p *forks) see(f *floors, number int64, e *entry) {
	if f.n == 0 || f.newest != number-1 {
		return
	}
	i := f.newest % slots
	if more := e.procs - int(f.procs[i]); more != 0 && f.procs[i] > 0 {
		p.each[p.n%len(p.each)] = math.Max(0, (e.low[private]-float64(f.low[private][i]))/float64(more))
		p.n++
	}
}

// share is the median of them; 0 when the number never changed.
func (p *forks) share() float64 {
	s := p.each
	n := min(p.n, len(s))
	if n == 0 {
		return 0
	}
	slices.Sort(s[:n])
	return median(s[:n])
}
