package trace

import (
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/memsup/memsup/internal/leak"
)

// Row is one sample of a recording.
type Row struct {
	At      time.Duration // since any moment
	Current uint64        // memory.current, bytes
	Sample  leak.Sample   // without a limit, which recordings do not have
}

// Reader reads a recording row by row.
type Reader struct {
	main, extra *table // extra may be nil
}

// Source is a file to read and its name, for errors.
type Source struct {
	Name string
	io.Reader
}

// NewReader begins with the headers of a recording and, unless its Reader is nil, of
// the file beside it.
//
//	time_s,memory_current,anon,file,kernel,swap,procs
//	time_s,shmem,sock,slab_reclaimable,...
//
// All are bytes but time_s, in seconds, and procs, which is 0 where the service is down.
// Other columns are skipped. Without the second file those values are 0.
func NewReader(main, extra Source) (*Reader, error) {
	m, err := open(main.Name, main.Reader, "time_s", "memory_current", "anon", "kernel", "swap", "procs")
	if err != nil {
		return nil, err
	}
	r := &Reader{main: m}
	if extra.Reader != nil {
		r.extra, err = open(extra.Name, extra.Reader, "time_s", "shmem", "sock", "slab_reclaimable")
	}
	return r, err
}

// Next returns the next row; the error is io.EOF after the last, an [*Error] where the
// files are wrong, and the reader's own where they cannot be read.
func (r *Reader) Next() (Row, error) {
	err := r.main.row()
	if errors.Is(err, io.EOF) && r.extra != nil {
		if more := r.extra.row(); more == nil {
			return Row{}, &Error{r.extra.file, r.extra.line, 1, "there is no such row in " + r.main.file}
		} else if !errors.Is(more, io.EOF) {
			return Row{}, more
		}
	}
	if err != nil {
		return Row{}, err
	}
	v := r.main.values
	if v[0] > math.MaxInt64/float64(time.Second)/2 {
		return Row{}, &Error{r.main.file, r.main.line, 1, "time_s: more than a century"}
	}
	row := Row{
		At:      time.Duration(v[0] * float64(time.Second)),
		Current: bytes(v[1]),
		Sample: leak.Sample{
			Anon: bytes(v[2]), Kernel: bytes(v[3]), Swap: bytes(v[4]),
			Procs: int(math.Min(v[5], math.MaxInt32)),
		},
	}
	if r.extra == nil {
		return row, nil
	}
	if err := r.extra.row(); errors.Is(err, io.EOF) {
		return Row{}, &Error{r.extra.file, r.extra.line + 1, 1, fmt.Sprintf("ends before %s, which has a row of %g s", r.main.file, v[0])}
	} else if err != nil {
		return Row{}, err
	}
	x := r.extra.values
	if x[0] != v[0] {
		return Row{}, &Error{r.extra.file, r.extra.line, 1, fmt.Sprintf("a row of %g s, where %s has one of %g s", x[0], r.main.file, v[0])}
	}
	s := &row.Sample
	s.Shmem, s.Sock, s.SlabReclaimable = bytes(x[1]), bytes(x[2]), bytes(x[3])
	return row, nil
}

// bytes converts a value from 0 on; what does not fit is the most there is.
func bytes(v float64) uint64 {
	if v >= math.MaxUint64 {
		return math.MaxUint64
	}
	return uint64(v)
}
