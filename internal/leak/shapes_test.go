package leak

import (
	"math"
	"testing"
	"time"
)

func TestLeaksAreFound(t *testing.T) {
	for name, tc := range map[string]struct {
		simulated
		rate  float64 // MiB a minute, of all memory
		full  float64 // when the limit is hit, minutes; 0: never
		begin float64
		class Class
	}{
		"linear":              {simulated{limit: 800, lasts: 400, noise: 1, memory: anon(func(t float64) float64 { return 200 + t })}, 1, 596, 0, Anon},
		"sampled each second": {simulated{limit: 800, lasts: 250, every: time.Second, noise: 1, memory: anon(func(t float64) float64 { return 200 + 2*t })}, 2, 298, 0, Anon},
		"sampled each minute": {simulated{limit: 800, lasts: 400, every: time.Minute, noise: 1, memory: anon(func(t float64) float64 { return 200 + t })}, 1, 596, 0, Anon},
		"irregular": {simulated{limit: 800, lasts: 400, noise: 1, jitter: 8 * time.Second, memory: anon(func(t float64) float64 { return 200 + t }),
			skip: func(m float64) bool { return math.Mod(m, 47) < 20 }}, 1, 596, 0, Anon},
		"staircase":        {simulated{limit: 800, lasts: 400, noise: 1, memory: anon(func(t float64) float64 { return 200 + 10*math.Floor(t/10) })}, 1, 596, 0, Anon},
		"sawtooth on it":   {simulated{limit: 800, lasts: 400, noise: 1, memory: anon(func(t float64) float64 { return 200 + t + sawtooth(t, 7, 60) })}, 1, 536, 0, Anon},
		"after a warm-up":  {simulated{limit: 900, lasts: 450, noise: 1, memory: anon(func(t float64) float64 { return 200 + t + 100*(1-math.Exp(-t/15)) })}, 1, 596, 0, Anon},
		"late":             {simulated{limit: 800, lasts: 500, noise: 1, memory: anon(func(t float64) float64 { return 200 + max(0, t-120)*1.5 })}, 1.5, 517, 120, Anon},
		"late and fast":    {simulated{limit: 1060, lasts: 240, noise: 1, memory: anon(func(t float64) float64 { return 250 + max(0, t-150)*6 })}, 6, 284, 150, Anon},
		"after a step":     {simulated{limit: 1200, lasts: 500, noise: 1, memory: anon(func(t float64) float64 { return 200 + onwards(t, 100, 90) + max(0, t-100)*1.5 })}, 1.5, 704, 100, Anon},
		"under a high day": {simulated{limit: 800, lasts: 700, noise: 1, memory: anon(func(t float64) float64 { return 300 + 0.25*t + 90*math.Sin(t/28.3) })}, 0.25, 1624, 0, Anon},
		"under a day":      {simulated{limit: 700, lasts: 700, noise: 1, memory: anon(func(t float64) float64 { return 250 + 0.4*t + 50*math.Sin(t/25) })}, 0.4, 995, 0, Anon},
		"follows the load": {simulated{limit: 1100, lasts: 700, noise: 1, memory: anon(func(t float64) float64 { return 200 + t - 30*math.Sin(t/30) })}, 1, 896, 0, Anon},
		"in swap": {simulated{limit: 300, lasts: 300, noise: 1, memory: func(t float64, m *megabytes) {
			m.anon = min(280, 150+2*t)
			m.swap = max(0, 2*t-130)
		}}, 2, 0, 0, Anon},
		"sockets": {simulated{limit: 800, lasts: 400, noise: 1, memory: func(t float64, m *megabytes) { m.anon, m.sock = 200, t }}, 1, 596, 0, Kernel},
		"tmpfs":   {simulated{limit: 800, lasts: 400, noise: 1, memory: func(t float64, m *megabytes) { m.anon, m.shmem = 200, t }}, 1, 596, 0, File},
		"open files": {simulated{limit: 800, lasts: 400, noise: 0.2, memory: func(t float64, m *megabytes) {
			m.anon, m.kernel = 200+t/4, 4+t*3/4
		}}, 1, 596, 0, Kernel},
		"as processes come and go": {simulated{limit: 800, lasts: 400, noise: 1, memory: func(t float64, m *megabytes) {
			m.procs = 1 + int(2+2*math.Sin(t/8))
			m.anon = 100 + t + 30*float64(m.procs)
		}}, 1, 576, 0, Anon},
	} {
		t.Run(name, func(t *testing.T) {
			alarms, last := tc.run(new(Detector))
			if len(alarms) == 0 {
				t.Fatal("no alarm")
			}
			first := alarms[0]
			if first.at < tc.begin {
				t.Fatalf("alarm at %.0f min, before it leaks", first.at)
			}
			if len(alarms) > 1 || !last.Suspected {
				t.Errorf("%d alarms, suspected at the end: %v", len(alarms), last.Suspected)
			}
			if last.Class != tc.class {
				t.Errorf("class %s, want %s", last.Class, tc.class)
			}
			near(t, "rate at the end, MiB/min", last.Rate.Value/mib, tc.rate, 0.1)
			if !(last.Rate.Low <= last.Rate.Value && last.Rate.Value <= last.Rate.High) {
				t.Errorf("rate %v is not in order", last.Rate)
			}
			if tc.full == 0 {
				if last.ToLimit.Known {
					t.Errorf("forecast %v of a limit that is not hit", last.ToLimit)
				}
				return
			}
			if half := tc.begin + (tc.full-tc.begin)/2; first.at > half {
				t.Errorf("alarm at %.0f min, later than half of the time at %.0f", first.at, half)
			}
			near(t, "time to the limit, min", last.ToLimit.Value.Minutes(), tc.full-tc.lasts, 0.15)
		})
	}
}

func TestNoLeakNoAlarm(t *testing.T) {
	for name, tc := range map[string]simulated{
		"flat":             {limit: 512, lasts: 720, noise: 5, memory: anon(func(float64) float64 { return 300 })},
		"sawtooth":         {limit: 512, lasts: 720, noise: 1, memory: anon(func(t float64) float64 { return 200 + sawtooth(t, 11, 150) })},
		"long sawtooth":    {limit: 512, lasts: 720, noise: 1, memory: anon(func(t float64) float64 { return 200 + sawtooth(t, 60, 150) })},
		"fast sawtooth":    {limit: 512, lasts: 200, every: time.Second, noise: 1, memory: anon(func(t float64) float64 { return 200 + sawtooth(t, 0.7, 150) })},
		"warm-up":          {limit: 512, lasts: 400, noise: 1, memory: anon(func(t float64) float64 { return 150 + 200*(1-math.Exp(-t/25)) })},
		"warm-up, saw":     {limit: 512, lasts: 400, noise: 1, memory: anon(func(t float64) float64 { return 150 + 100*(1-math.Exp(-t/25)) + sawtooth(t, 9, 100) })},
		"cache fills":      {limit: 512, lasts: 400, noise: 1, memory: anon(func(t float64) float64 { return min(400, 90+6*t) })},
		"cache just fills": {limit: 512, lasts: 400, noise: 1, memory: anon(func(t float64) float64 { return min(400, 110+5*t) })},
		"steps and a drift": {limit: 512, lasts: 500, noise: 0.2, memory: anon(func(t float64) float64 {
			return 150 + t/25 + onwards(t, 150, 70) + onwards(t, 290, 70)
		})},
		"day":            {limit: 512, lasts: 720, noise: 1, memory: anon(func(t float64) float64 { return 270 - 50*math.Cos(t/25) })},
		"a step":         {limit: 512, lasts: 400, noise: 1, memory: anon(func(t float64) float64 { return 150 + onwards(t, 130, 200) })},
		"a surge":        {limit: 512, lasts: 400, noise: 1, memory: anon(func(t float64) float64 { return 100 + 20*min(15, max(0, t-100)) })},
		"three steps":    {limit: 512, lasts: 500, noise: 1, memory: anon(func(t float64) float64 { return 150 + onwards(t, 90, 60) + onwards(t, 200, 60) + onwards(t, 330, 60) })},
		"batch job":      {limit: 512, lasts: 720, noise: 1, memory: anon(func(t float64) float64 { return 150 + 4*max(0, math.Mod(t, 180)-140) })},
		"more processes": {limit: 512, lasts: 400, noise: 1, memory: func(t float64, m *megabytes) { m.procs = 1 + min(7, int(t/25)); m.anon = 60 + 40*float64(m.procs) }},
		"dentries":       {limit: 512, lasts: 400, noise: 1, memory: func(t float64, m *megabytes) { m.anon, m.kernel, m.slab = 100, 4+t, t }},
		"tmpfs emptied":  {limit: 512, lasts: 600, noise: 1, memory: func(t float64, m *megabytes) { m.anon, m.shmem = 100, sawtooth(t, 55, 100) }},
		"restarts, each warming up": {limit: 512, lasts: 700, noise: 1, down: []float64{130, 260, 400, 550},
			memory: anon(func(t float64) float64 { return 100 + 200*(1-math.Exp(-t/20)) })},
		"gaps": {limit: 512, lasts: 720, noise: 1, skip: func(m float64) bool { return math.Mod(m, 80) < 30 },
			memory: anon(func(t float64) float64 { return 270 - 50*math.Cos(t/25) })},
		"swapped out": {limit: 512, lasts: 400, noise: 1, memory: func(t float64, m *megabytes) {
			m.swap = min(100, max(0, t-60))
			m.anon = 300 - m.swap
		}},
		"lives at its limit": {limit: 512, lasts: 720, noise: 0.5, memory: anon(func(t float64) float64 { return 470 + sawtooth(t, 16, 35) })},
		"no limit":           {lasts: 720, noise: 2, memory: anon(func(t float64) float64 { return 300 + sawtooth(t, 12, 60) })},
	} {
		t.Run(name, func(t *testing.T) {
			if alarms, _ := tc.run(new(Detector)); len(alarms) > 0 {
				t.Errorf("alarm at %.0f min: %s", alarms[0].at, alarms[0].Evidence())
			}
		})
	}
}

// onwards is height from a moment on.
func onwards(t, from, height float64) float64 {
	if t < from {
		return 0
	}
	return height
}

func TestShortFuse(t *testing.T) {
	s := simulated{limit: 1000, lasts: 84.8, noise: 1, memory: anon(func(t float64) float64 { return 200 + max(0, t-70)*52 })}
	alarms, last := s.run(new(Detector))
	if len(alarms) != 1 || !last.Urgent || last.Class != Anon {
		t.Fatalf("alarms %v, at the end %+v", alarms, last)
	}
	near(t, "rate, MiB/min", last.Rate.Value/mib, 52, 0.05)
	if left := last.ToLimit.Value; left > 3*time.Minute {
		t.Errorf("%v to the limit, want a minute or two", left)
	}
}

func TestAlarmEndsWhenGrowthEnds(t *testing.T) {
	s := simulated{limit: 1000, lasts: 600, noise: 1, memory: anon(func(t float64) float64 { return 200 + 1.5*min(t, 300) })}
	alarms, last := s.run(new(Detector))
	if len(alarms) != 1 || last.Suspected {
		t.Errorf("%d alarms; five hours after it stopped to grow: %s", len(alarms), last.Evidence())
	}
}

// The same growth, with and without a load that grows along with it.
func TestLoadThatGrowsNeedsMoreEvidence(t *testing.T) {
	at := func(load func(t float64) float64) float64 {
		s := simulated{limit: 800, lasts: 500, noise: 1, memory: func(t float64, m *megabytes) { m.anon, m.cpu = 200+t, load(t) }}
		alarms, _ := s.run(new(Detector))
		if len(alarms) == 0 {
			t.Fatal("no alarm")
		}
		return alarms[0].at
	}
	steady, growing := at(func(float64) float64 { return 0.3 }), at(func(t float64) float64 { return 0.1 + t/500 })
	if growing < steady+30 {
		t.Errorf("alarm at %.0f min under a steady load, at %.0f under one that grows", steady, growing)
	}
}
