package leak

import (
	"math"
	"testing"
	"time"
)

// leaks is a service that leaks 2 MiB a minute from 100 MiB on.
var leaks = anon(func(t float64) float64 { return 100 + 2*t })

func TestEarlierRunsTellWarmUpFromLeak(t *testing.T) {
	// Each run fills steadily for 80 minutes, to a level that it keeps.
	slow := anon(func(t float64) float64 { return 100 + 2.5*min(t, 90) })
	first := func(d *Detector) bool {
		alarms, _ := simulated{limit: 420, lasts: 89, noise: 0.5, memory: slow}.run(d)
		return len(alarms) > 0
	}
	if !first(new(Detector)) {
		t.Fatal("without an earlier run this looks like a leak")
	}
	var d Detector
	simulated{limit: 800, lasts: 400, noise: 0.5, memory: slow}.run(&d) // much room: no alarm
	d.Restarted()
	if first(&d) {
		t.Error("an alarm for a level that the run before held")
	}
	d = Detector{}
	simulated{limit: 800, lasts: 400, noise: 0.5, memory: slow}.run(&d)
	d.Deployed()
	if !first(&d) {
		t.Error("another program is judged by the one before it")
	}
}

func TestRestartsDoNotHideALeak(t *testing.T) {
	every := func(minutes float64) (s simulated) {
		s = simulated{limit: 700, lasts: 600, noise: 1, memory: leaks}
		for at := minutes; at < s.lasts; at += minutes {
			s.down = append(s.down, at)
		}
		return s
	}
	alarms, _ := every(100).run(new(Detector))
	if len(alarms) == 0 {
		t.Fatal("restarted every 100 minutes: no alarm")
	}
	near(t, "rate, MiB/min", alarms[0].Rate.Value/mib, 2, 0.1)
	for _, a := range alarms {
		if since := math.Mod(a.at, 100); since < 40 {
			t.Errorf("alarm %.0f min after a restart", since)
		}
	}
}

func TestRestartEndsSuspicion(t *testing.T) {
	var d Detector
	if _, last := (simulated{limit: 500, lasts: 160, noise: 1, memory: leaks}).run(&d); !last.Suspected {
		t.Fatal("no alarm to end")
	}
	if v, changed := d.Observe(300*time.Minute, Sample{}); v.Suspected || !changed {
		t.Errorf("the service is down: %+v, news: %v", v, changed)
	}
	if v, changed := d.Observe(301*time.Minute, Sample{}); v.Suspected || changed {
		t.Errorf("still down: %+v, news: %v", v, changed)
	}
}

func TestForecastFollowsTheLimit(t *testing.T) {
	var d Detector
	s := simulated{limit: 600, lasts: 200, noise: 0.5, memory: leaks}
	_, before := s.run(&d)
	if !before.ToLimit.Known {
		t.Fatal("no forecast")
	}
	at := time.Hour + 200*time.Minute
	for end := at + 5*time.Minute; at < end; at += 10 * time.Second {
		d.Observe(at, Sample{Anon: size(100 + 2*(at-time.Hour).Minutes()), Kernel: 4 * mib, Procs: 1, Limit: 1000 * mib})
	}
	near(t, "minutes to a limit raised by 400 MiB", d.v.ToLimit.Value.Minutes(), before.ToLimit.Value.Minutes()+200-5, 0.05)
}

func TestTimeThatGoesBack(t *testing.T) {
	var d Detector
	s := simulated{limit: 500, lasts: 160, noise: 1, memory: leaks}
	_, last := s.run(&d)
	if v, changed := d.Observe(2*time.Hour, Sample{Anon: 1, Procs: 1}); v != last || changed {
		t.Errorf("an old sample changed the verdict to %+v", v)
	}
	// By more than an hour: the clock was set, and what was before is another run's.
	d.Observe(0, Sample{Anon: 300 * mib, Procs: 1, Limit: 500 * mib})
	if d.floors.n != 0 {
		t.Errorf("%d floors are left after the clock was set", d.floors.n)
	}
}

func TestMillionSamplesAtOnce(t *testing.T) {
	var d Detector
	for i := range 1_000_000 {
		if v, changed := d.Observe(time.Hour, Sample{Anon: uint64(i) * mib, Procs: 1, Limit: mib}); v.Suspected || changed {
			t.Fatalf("sample %d: %+v", i, v)
		}
	}
}

func TestGapOfAYear(t *testing.T) {
	var d Detector
	s := simulated{limit: 500, lasts: 100, noise: 1, memory: leaks}
	s.run(&d)
	at := 366 * 24 * time.Hour
	for i := range 1000 {
		if v, _ := d.Observe(at+time.Duration(i)*10*time.Second, Sample{Anon: 400 * mib, Procs: 1, Limit: 500 * mib}); v.Suspected {
			t.Fatalf("after %d samples: %s", i, v.Evidence())
		}
	}
}

func TestNewsOnlyWhenSomethingChanged(t *testing.T) {
	var d Detector
	news := 0
	for i := range 3000 {
		at := time.Duration(i) * 10 * time.Second
		if _, changed := d.Observe(at, Sample{Anon: size(100 + at.Minutes()), Procs: 1, Limit: 900 * mib}); changed {
			news++
		}
	}
	if news != 1 {
		t.Errorf("a leak as straight as a line is news %d times, want once", news)
	}
}
