package trace

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/memsup/memsup/internal/leak"
)

const (
	header      = "time_s,memory_current,anon,file,kernel,swap,procs\n"
	extraHeader = "time_s,shmem,sock,slab_reclaimable,workingset_refault_file\n"
)

// read returns all rows of a recording; extra may be "-", for none.
func read(main, extra string) (rows []Row, err error) {
	beside := Source{Name: "t.extra.csv"}
	if extra != "-" {
		beside.Reader = strings.NewReader(extra)
	}
	r, err := NewReader(Source{"t.csv", strings.NewReader(main)}, beside)
	if err != nil {
		return nil, err
	}
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return rows, err
		}
		rows = append(rows, row)
	}
}

func TestRead(t *testing.T) {
	want := []Row{
		{At: 0, Current: 700, Sample: leak.Sample{Anon: 100, Kernel: 40, Swap: 5, Procs: 2, Shmem: 9, Sock: 8, SlabReclaimable: 7}},
		{At: 10500 * time.Millisecond, Current: 710, Sample: leak.Sample{Anon: 110, Kernel: 41, Swap: 6}},
	}
	without := []Row{want[0], want[1]}
	s := &without[0].Sample
	s.Shmem, s.Sock, s.SlabReclaimable = 0, 0, 0
	for name, tc := range map[string]struct {
		main, extra string
		want        []Row
	}{
		"both":           {header + "0,700,100,60,40,5,2\n10.5,710,110,61,41,6,0\n", extraHeader + "0,9,8,7,1\n10.5,0,0,0,1\n", want},
		"one":            {header + "0,700,100,60,40,5,2\n10.5,710,110,61,41,6,0\n", "-", without},
		"another order":  {"procs,swap,kernel,anon,memory_current,time_s\n2,5,40,100,700,0\n0,6,41,110,710,10.5", "-", without},
		"Windows, 1e2":   {"\ufeff" + strings.ReplaceAll(header, "\n", "\r\n") + "0, 7e2,1e2 ,60,40,5,2\r\n\r\n10.5,710,110,61,41,6,0\r\n", "-", without},
		"no more than a": {header, extraHeader, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := read(tc.main, tc.extra)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMistakesAreNamedWithTheirPlace(t *testing.T) {
	for name, tc := range map[string]struct{ main, extra, want string }{
		"empty":          {"", "-", "t.csv:1:1: empty: a header was expected: time_s,memory_current,anon,kernel,swap,procs"},
		"no header":      {"0,700,100,60,40,5,2\n", "-", "t.csv:1:1: column time_s is missing in the header"},
		"column missing": {"time_s,memory_current,anon,file,kernel,procs\n", "-", "t.csv:1:1: column swap is missing in the header"},
		"text":           {header + "0,700,100,60,40,5,2\n10,700,many,60,40,5,2\n", "-", `t.csv:3:8: anon: "many" is not a number from 0 on`},
		"negative":       {header + "0,-1,100,60,40,5,2\n", "-", `t.csv:2:3: memory_current: "-1" is not a number from 0 on`},
		"not a number":   {header + "0,700,NaN,60,40,5,2\n", "-", `t.csv:2:7: anon: "NaN" is not a number from 0 on`},
		"infinite":       {header + "inf,700,100,60,40,5,2\n", "-", `t.csv:2:1: time_s: "inf" is not a number from 0 on`},
		"too late":       {header + "1e300,700,100,60,40,5,2\n", "-", "t.csv:2:1: time_s: more than a century"},
		"short row":      {header + "\n0,700,100\n", "-", "t.csv:3:10: 3 columns, the header has 7"},
		"long line":      {header + strings.Repeat("1,", 5000), "-", "t.csv:2:4096: the line is longer than 4096 bytes"},
		"extra mistaken": {header + "0,700,100,60,40,5,2\n", extraHeader + "0,1,x,3,4\n", `t.extra.csv:2:5: sock: "x" is not a number from 0 on`},
		"extra ends":     {header + "0,700,100,60,40,5,2\n", extraHeader, "t.extra.csv:2:1: ends before t.csv, which has a row of 0 s"},
		"extra goes on":  {header, extraHeader + "0,1,2,3,4\n", "t.extra.csv:2:1: there is no such row in t.csv"},
		"extra differs":  {header + "0,700,100,60,40,5,2\n", extraHeader + "5,1,2,3,4\n", "t.extra.csv:2:1: a row of 5 s, where t.csv has one of 0 s"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read(tc.main, tc.extra)
			if wrong := new(Error); !errors.As(err, &wrong) {
				t.Fatalf("%v is not an *Error", err)
			}
			if err.Error() != tc.want {
				t.Errorf("%s\nwant %s", err, tc.want)
			}
		})
	}
}

func TestFileThatCannotBeRead(t *testing.T) {
	broken := errors.New("input/output error")
	_, err := NewReader(Source{"t.csv", iotest.ErrReader(broken)}, Source{})
	if !errors.Is(err, broken) || errors.As(err, new(*Error)) {
		t.Errorf("%v, want the reader's own error", err)
	}
}

// Whatever is in the files, rows or a mistake with its place come out of them.
func FuzzReader(f *testing.F) {
	f.Add(header+"0,700,100,60,40,5,2\n10,710,110,61,41,6,0\n", extraHeader+"0,9,8,7,1\n10,0,0,0,1\n")
	f.Add(header+"0,,100\n", "-")
	f.Add("time_s\n", "time_s,time_s\n\n,")
	f.Add(strings.TrimSpace(header)+",time_s\n1,2,3,4,5,6,7,8", "-")
	f.Fuzz(func(t *testing.T, main, extra string) {
		rows, err := read(main, extra)
		if wrong := new(Error); err != nil && (!errors.As(err, &wrong) || wrong.Line < 1 || wrong.Column < 1) {
			t.Errorf("%v has no place", err)
		}
		for _, r := range rows {
			if r.At < 0 || r.Sample.Procs < 0 {
				t.Errorf("%+v", r)
			}
		}
	})
}
