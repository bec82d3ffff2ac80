// Package store keeps the recent past of each service for those who ask for it.
package store

import "github.com/memsup/memsup/internal/service"

// Ring is the newest points of one service, in a fixed amount of memory.
type Ring struct {
	points []service.Point
	next   int
	full   bool
}

// NewRing returns a ring of n points, of 40 bytes each.
func NewRing(n int) *Ring { return &Ring{points: make([]service.Point, n)} }

// Add adds a point in the place of the oldest.
func (r *Ring) Add(p service.Point) {
	r.points[r.next] = p
	r.next = (r.next + 1) % len(r.points)
	r.full = r.full || r.next == 0
}

// Points returns a copy of the points, oldest first.
func (r *Ring) Points() []service.Point {
	if !r.full {
		return append([]service.Point(nil), r.points[:r.next]...)
	}
	return append(append([]service.Point(nil), r.points[r.next:]...), r.points[:r.next]...)
}
