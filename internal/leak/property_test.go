package leak

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// reading is a sample and its time.
type reading struct {
	at time.Duration
	Sample
}

// news is a verdict that was news, and when.
type news struct {
	at time.Duration
	Verdict
}

// history draws a service's samples: growth, cycles, steps, noise, gaps and restarts
// in any mixture, a verdict of some kind being likely.
func history(t *rapid.T) []reading {
	amount := func(name string, of ...float64) float64 { return rapid.SampledFrom(of).Draw(t, name) }
	every := rapid.IntRange(5, 60).Draw(t, "every")
	growth, cycle, period := amount("growth", 0, 0.5, 1, 2, 5), amount("cycle", 0, 0, 10, 60), amount("period", 7, 20, 33, 200)
	saw, step, noise := amount("saw", 0, 0, 20, 60), amount("step", 0, 0, 80), amount("noise", 0, 1, 8)
	limit := rapid.SampledFrom([]float64{0, 400, 900, 2000}).Draw(t, "limit")
	in := rapid.IntRange(0, 2).Draw(t, "series")
	random := rapid.Uint64().Draw(t, "random")
	next := func(n uint64) uint64 { // xorshift: rapid's own draws are slow
		random ^= random << 13
		random ^= random >> 7
		random ^= random << 17
		return random % n
	}
	var all []reading
	at, begun := time.Duration(0), time.Duration(0)
	for range rapid.IntRange(600, 2500).Draw(t, "samples") {
		at += time.Duration(1+next(uint64(2*every))) * time.Second
		if next(400) == 0 {
			at += time.Duration(next(3600)) * time.Second
		}
		r := reading{at, Sample{Limit: size(limit), Procs: 1}}
		if next(1500) == 0 {
			r.Procs, begun = 0, at
		}
		m := (at - begun).Minutes()
		v := 100 + growth*m + cycle*(1+math.Sin(m/period)) + sawtooth(m, 13, saw) + onwards(m, 90, step) + noise*float64(next(1000))/1000
		r.Anon, r.Kernel = 50*mib, 5*mib
		switch series(in) {
		case private:
			r.Anon = size(v)
		case kernel:
			r.Sock = size(v)
		case shared:
			r.Shmem = size(v)
		}
		all = append(all, r)
	}
	return all
}

func replay(all []reading) (told []news) {
	var d Detector
	for _, r := range all {
		if v, changed := d.Observe(r.at, r.Sample); changed {
			told = append(told, news{r.at, v})
		}
	}
	return told
}

// What is said of a beginning is said of the whole up to there: nothing looks ahead.
func TestPrefixSaysTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := history(t)
		cut := rapid.IntRange(0, len(all)).Draw(t, "cut")
		whole, part := replay(all), replay(all[:cut])
		for i, n := range part {
			if i >= len(whole) || whole[i] != n {
				t.Fatalf("news %d of the first %d samples: %+v; of all: %+v", i, cut, n, whole)
			}
		}
		if len(whole) > len(part) && cut > 0 && whole[len(part)].at <= all[cut-1].at {
			t.Fatalf("the first %d samples leave out %+v", cut, whole[len(part)])
		}
	})
}

func TestTimeShiftChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := history(t)
		want := replay(all)
		shift := time.Duration(rapid.Int64Range(0, int64(1000*time.Hour)).Draw(t, "shift"))
		for i := range all {
			all[i].at += shift
		}
		got := replay(all)
		if len(got) != len(want) {
			t.Fatalf("%d news, %d when shifted by %v", len(want), len(got), shift)
		}
		for i := range got {
			if got[i].at -= shift; got[i] != want[i] {
				t.Fatalf("news %d: %+v; shifted: %+v", i, want[i], got[i])
			}
		}
	})
}

// Twice the memory under twice the limit is the same story at twice the rate.
func TestScale(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := history(t)
		want := replay(all)
		factor := uint64(1) << rapid.IntRange(1, 10).Draw(t, "power")
		for i := range all {
			s := &all[i].Sample
			s.Anon, s.Kernel, s.Sock, s.Shmem, s.Limit = s.Anon*factor, s.Kernel*factor, s.Sock*factor, s.Shmem*factor, s.Limit*factor
		}
		got := replay(all)
		if len(got) != len(want) {
			t.Fatalf("%d news, %d with %d times the memory", len(want), len(got), factor)
		}
		for i, g := range got {
			w := want[i]
			if g.at != w.at || g.Suspected != w.Suspected || g.Class != w.Class || g.ToLimit != w.ToLimit || g.Rate.Value != w.Rate.Value*float64(factor) {
				t.Fatalf("news %d: %+v; with %d times the memory: %+v", i, w, factor, g)
			}
		}
	})
}

// Whatever is read, in whatever order, a verdict is finite and in order.
func TestAnyInput(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var d Detector
		huge := rapid.OneOf(rapid.Uint64(), rapid.Uint64Range(0, 1<<30), rapid.Just(uint64(math.MaxUint64)))
		for _, at := range rapid.SliceOfN(rapid.Int64(), 1, 300).Draw(t, "times") {
			s := Sample{Anon: huge.Draw(t, "anon"), Swap: huge.Draw(t, "swap"), Kernel: huge.Draw(t, "kernel"), SlabReclaimable: huge.Draw(t, "slab"),
				Shmem: huge.Draw(t, "shmem"), Limit: huge.Draw(t, "limit"), Procs: rapid.Int().Draw(t, "procs"), CPU: time.Duration(at)}
			v, _ := d.Observe(time.Duration(at), s)
			for _, x := range []float64{v.Rate.Low, v.Rate.Value, v.Rate.High} {
				if math.IsNaN(x) || math.IsInf(x, 0) {
					t.Fatalf("rate %+v", v.Rate)
				}
			}
			if v.Suspected && (v.Rate.Value <= 0 || v.Rate.Low > v.Rate.Value || v.Rate.High < v.Rate.Value || v.ToLimit.Low > v.ToLimit.High) {
				t.Fatalf("%+v", v)
			}
		}
	})
}
