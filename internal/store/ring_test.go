package store

import (
	"testing"

	"github.com/memsup/memsup/internal/service"
)

func TestRingKeepsTheNewestInOrder(t *testing.T) {
	r := NewRing(3)
	for n := range uint64(8) {
		if got := r.Points(); len(got) != int(min(n, 3)) {
			t.Fatalf("after %d: %d points", n, len(got))
		}
		r.Add(service.Point{Current: n})
	}
	for i, p := range r.Points() {
		if p.Current != uint64(5+i) {
			t.Errorf("point %d is %d", i, p.Current)
		}
	}
}
