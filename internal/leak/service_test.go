package leak

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

const mib = 1 << 20

// simulated is a service whose memory a test makes up. Sizes are MiB, times minutes.
type simulated struct {
	limit float64
	lasts float64
	every time.Duration // 10 s when 0
	// memory sets what is not the usual: anon 0, kernel 4, one process.
	memory func(t float64, s *megabytes)
	noise  float64
	down   []float64                 // restarts; memory's t begins anew
	skip   func(minute float64) bool // no sample
	jitter time.Duration
}

// megabytes is a sample in MiB.
type megabytes struct {
	anon, swap, kernel, sock, slab, shmem float64
	procs                                 int
	cpu                                   float64 // share of one CPU
}

// alarm is when suspicion began, in minutes, and the verdict then.
type alarm struct {
	at float64
	Verdict
}

// run returns the alarms, and the verdict at the end.
func (s simulated) run(d *Detector) (alarms []alarm, last Verdict) {
	random := rand.New(rand.NewPCG(1, 2))
	every := s.every
	if every == 0 {
		every = 10 * time.Second
	}
	begun, next, cpu, before := 0.0, 0, 0.0, 0.0
	suspected := false
	for at := time.Duration(0); at.Minutes() < s.lasts; at += every {
		m := at.Minutes()
		sample := Sample{Limit: uint64(s.limit * mib)}
		if next < len(s.down) && m >= s.down[next] {
			next, begun = next+1, m
		} else {
			if s.skip != nil && s.skip(m) {
				continue
			}
			x := megabytes{kernel: 4, procs: 1}
			s.memory(m-begun, &x)
			x.anon += s.noise * random.NormFloat64()
			cpu += x.cpu * (m - before) * 60
			sample = Sample{
				Anon: size(x.anon), Swap: size(x.swap), Kernel: size(x.kernel), Sock: size(x.sock),
				SlabReclaimable: size(x.slab), Shmem: size(x.shmem), Procs: x.procs,
				Limit: sample.Limit, CPU: time.Duration(cpu * float64(time.Second)),
			}
		}
		before = m
		when := at + time.Hour
		if s.jitter > 0 {
			when += time.Duration(random.Int64N(int64(s.jitter)))
		}
		v, _ := d.Observe(when, sample)
		if v.Suspected && !suspected {
			alarms = append(alarms, alarm{m, v})
		}
		suspected, last = v.Suspected, v
	}
	return alarms, last
}

func size(m float64) uint64 { return uint64(math.Max(0, m) * mib) }

// sawtooth is a collector's: up by height over period, then down.
func sawtooth(t, period, height float64) float64 { return height * math.Mod(t, period) / period }

func anon(f func(t float64) float64) func(float64, *megabytes) {
	return func(t float64, m *megabytes) { m.anon = f(t) }
}

func near(t *testing.T, what string, got, want, share float64) {
	t.Helper()
	if math.Abs(got-want) > share*want {
		t.Errorf("%s: %.4g, want %.4g ± %.0f %%", what, got, want, 100*share)
	}
}
