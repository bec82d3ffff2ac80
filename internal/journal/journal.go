// Package journal is the ordered record of what was decided. Whoever shows,
// stores or sends anything reads from it, each at its own pace: a reader that
// falls behind loses the oldest entries, counted, and holds up nobody.
package journal

import (
	"sync"

	"github.com/memsup/memsup/internal/service"
)

// Entry is one decision with its place in the record.
type Entry struct {
	Seq      uint64 // from 1, without gaps
	Decision service.Decision
}

// Journal is the record. The zero Journal is ready for use.
type Journal struct {
	mu      sync.Mutex
	seq     uint64
	readers map[*Reader]struct{}
}

// Reader reads the entries that were appended since it was made.
type Reader struct {
	C       <-chan Entry // closed by Close
	c       chan Entry
	j       *Journal
	dropped uint64
}

// Append records the decisions, in order, without ever waiting for a reader.
func (j *Journal) Append(ds ...service.Decision) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, d := range ds {
		j.seq++
		for r := range j.readers {
			r.offer(Entry{Seq: j.seq, Decision: d})
		}
	}
}

func (r *Reader) offer(e Entry) {
	for {
		select {
		case r.c <- e:
			return
		default:
		}
		select {
		case <-r.c:
			r.dropped++
		default:
		}
	}
}

// Read returns a reader that keeps up to size entries waiting.
func (j *Journal) Read(size int) *Reader {
	c := make(chan Entry, max(size, 1))
	r := &Reader{C: c, c: c, j: j}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.readers == nil {
		j.readers = make(map[*Reader]struct{})
	}
	j.readers[r] = struct{}{}
	return r
}

// Dropped returns how many entries this reader lost for being slow.
func (r *Reader) Dropped() uint64 {
	r.j.mu.Lock()
	defer r.j.mu.Unlock()
	return r.dropped
}

// Close ends the reader; what it has not read yet can still be read from C.
func (r *Reader) Close() {
	r.j.mu.Lock()
	defer r.j.mu.Unlock()
	if _, open := r.j.readers[r]; open {
		delete(r.j.readers, r)
		close(r.c)
	}
}
