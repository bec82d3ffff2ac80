package journal

import (
	"testing"

	"github.com/memsup/memsup/internal/service"
)

func TestSlowReaderLosesTheOldestAndKnowsIt(t *testing.T) {
	var j Journal
	slow, fast := j.Read(2), j.Read(10)
	for range 5 {
		j.Append(service.Decision{Service: "api"})
	}
	slow.Close()
	fast.Close()
	slow.Close() // idempotent
	var got []uint64
	for e := range slow.C {
		got = append(got, e.Seq)
	}
	if len(got) != 2 || got[0] != 4 || got[1] != 5 || slow.Dropped() != 3 {
		t.Errorf("slow reader got %v and dropped %d", got, slow.Dropped())
	}
	n := uint64(0)
	for e := range fast.C {
		n++
		if e.Seq != n {
			t.Errorf("entry %d has number %d", n, e.Seq)
		}
	}
	if n != 5 || fast.Dropped() != 0 {
		t.Errorf("fast reader got %d and dropped %d", n, fast.Dropped())
	}
	j.Append(service.Decision{}) // nobody reads: nothing waits
}
