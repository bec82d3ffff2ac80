package leak

import (
	"math"
	"testing"
	"time"
	"unsafe"
)

// kindsOfDay are what a detector has to look at: nothing, a leak, all at once.
var kindsOfDay = map[string]func(t float64) Sample{
	"flat": func(t float64) Sample {
		return Sample{Anon: size(100 + math.Sin(t)), Kernel: 4 * mib, Procs: 1, Limit: 1 << 30}
	},
	"leak": func(t float64) Sample {
		return Sample{Anon: size(100 + t/10), Kernel: 4 * mib, Procs: 1, Limit: 1 << 30}
	},
	"all": func(t float64) Sample {
		v := size(100 + t/10 + 30*math.Sin(t/25))
		return Sample{Anon: v, Kernel: v, Shmem: v, Procs: 1 + int(t/60)%3, Limit: 1 << 30}
	},
}

// BenchmarkObserve: at most 3 µs a sample every 10 s, nothing allocated. A slot is looked
// at once, so fewer samples a slot each cost more.
func BenchmarkObserve(b *testing.B) {
	for name, sample := range kindsOfDay {
		for _, every := range []time.Duration{time.Second, 10 * time.Second, time.Minute} {
			b.Run(name+"/"+every.String(), func(b *testing.B) {
				var d Detector
				b.ReportAllocs()
				b.ReportMetric(float64(unsafe.Sizeof(d)), "B/service")
				for at := time.Duration(0); b.Loop(); at += every {
					d.Observe(at, sample(math.Mod(at.Minutes(), 2000)))
				}
			})
		}
	}
}

func TestSizeOfADetector(t *testing.T) {
	if size := unsafe.Sizeof(Detector{}); size > 8<<10 {
		t.Errorf("%d bytes a service, at most 8 KiB are promised", size)
	}
}

func TestObserveDoesNotAllocate(t *testing.T) {
	for name, sample := range kindsOfDay {
		var d Detector
		at := time.Duration(0)
		if n := testing.AllocsPerRun(5000, func() {
			at += 10 * time.Second
			d.Observe(at, sample(at.Minutes()))
		}); n != 0 {
			t.Errorf("%s: %v allocations a sample", name, n)
		}
	}
}
