package leak

import "time"

// thresholdSamples is how many samples the plain rule looks at.
const thresholdSamples = 10

// Threshold is the plain rule: growth by more than 5 MB (2^20 bytes) a minute over the
// last ten samples. It knows neither warm-up nor garbage collection, and is here for
// those who ask for it. The zero Threshold has seen nothing.
type Threshold struct {
	// Growth is the limit in bytes a minute; 0 stands for 5 MB.
	Growth float64

	at    [thresholdSamples]time.Duration
	bytes [thresholdSamples]uint64
	n     int
}

// Observe takes the memory at a moment, in bytes. It returns whether the rule holds and
// the growth in bytes a minute, which is 0 before the tenth sample. A sample that is
// not newer than the last is ignored; a restart is told by [Threshold.Restarted].
func (r *Threshold) Observe(at time.Duration, memory uint64) (suspected bool, growth float64) {
	last := (r.n + thresholdSamples - 1) % thresholdSamples
	if r.n == 0 || at > r.at[last] {
		last = r.n % thresholdSamples
		r.at[last], r.bytes[last] = at, memory
		r.n++
	}
	if r.n < thresholdSamples {
		return false, 0
	}
	first := r.n % thresholdSamples // the oldest is where the next one goes
	growth = (float64(r.bytes[last]) - float64(r.bytes[first])) / (r.at[last] - r.at[first]).Minutes()
	limit := r.Growth
	if limit == 0 {
		limit = 5 << 20
	}
	return growth > limit, growth
}

// Restarted forgets what was seen.
func (r *Threshold) Restarted() { r.n = 0 }
