package psi

import (
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	some := Stall{Known: true, Avg10: 1.25, Avg60: 0.4, Avg300: 100, Total: 1834211 * time.Microsecond}
	full := Stall{Known: true, Avg60: 0.07, Total: time.Microsecond}
	for name, tc := range map[string]struct {
		in   string
		want Pressure
	}{
		"both lines": {
			"some avg10=1.25 avg60=0.40 avg300=100.00 total=1834211\nfull avg10=0.00 avg60=0.07 avg300=0.00 total=1\n",
			Pressure{Some: some, Full: full},
		},
		"no full line (cpu.pressure before 5.13)": {
			"some avg10=1.25 avg60=0.40 avg300=100.00 total=1834211\n",
			Pressure{Some: some},
		},
		"full alone after it, no newline": {
			"some avg10=1.25 avg60=0.40 avg300=100.00 total=1834211\nfull avg10=0.00 avg60=0.07 avg300=0.00 total=1",
			Pressure{Some: some, Full: full},
		},
		"a line and a field of a later kernel": {
			"few avg10=1.00\nsome avg10=1.25 avg60=0.40 avg300=100.00 total=1834211 max=3\n",
			Pressure{Some: some},
		},
	} {
		if got, err := Parse([]byte(tc.in)); err != nil || got != tc.want {
			t.Errorf("%s: got %+v, %v; want %+v", name, got, err, tc.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	const good = "some avg10=1.25 avg60=0.40 avg300=0.09 total=1834211\n"
	for name, in := range map[string]string{
		"empty":           "",
		"only full":       "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
		"cut short":       good[:len(good)-10],
		"no value":        strings.Replace(good, "1834211", "", 1),
		"negative":        strings.Replace(good, "1834211", "-1", 1),
		"more than 100 %": strings.Replace(good, "0.40", "101.00", 1),
		"one decimal":     strings.Replace(good, "0.40", "0.4", 1),
		"no decimals":     strings.Replace(good, "0.40", "0", 1),
		"total overflows": strings.Replace(good, "1834211", "99999999999999999999", 1),
		"past a Duration": strings.Replace(good, "1834211", "9999999999999999999", 1),
		"other order":     "some avg60=0.40 avg10=1.25 avg300=0.09 total=1\n",
		"twice":           good + good,
		"trailing junk":   strings.Replace(good, "1834211", "1834211x", 1),
	} {
		if got, err := Parse([]byte(in)); err == nil || got != (Pressure{}) {
			t.Errorf("%s: got %+v, %v; want the zero Pressure and an error", name, got, err)
		}
	}
}

func TestParseAllocatesNothing(t *testing.T) {
	b := []byte("some avg10=1.25 avg60=0.40 avg300=0.09 total=1834211\nfull avg10=0.00 avg60=0.07 avg300=0.01 total=912345\n")
	if n := testing.AllocsPerRun(100, func() { _, _ = Parse(b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("some avg10=1.25 avg60=0.40 avg300=0.09 total=1834211\nfull avg10=0.00 avg60=0.07 avg300=0.01 total=912345\n"))
	f.Add([]byte("some avg10=100.00 avg60=0.00 avg300=0.00 total=9223372036854775"))
	f.Add([]byte("full\nsome \n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Parse(b)
		if err != nil && p != (Pressure{}) {
			t.Fatalf("%q: %+v beside %v", b, p, err)
		}
		if err == nil && !p.Some.Known {
			t.Fatalf("%q: no error and nothing known", b)
		}
		for _, s := range []Stall{p.Some, p.Full} {
			if s.Avg10 < 0 || s.Avg10 >= 101 || s.Avg60 < 0 || s.Avg60 >= 101 || s.Avg300 < 0 || s.Avg300 >= 101 || s.Total < 0 {
				t.Fatalf("%q: out of range: %+v", b, s)
			}
			if !s.Known && s != (Stall{}) {
				t.Fatalf("%q: values that are not known: %+v", b, s)
			}
		}
	})
}
