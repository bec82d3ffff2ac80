package limit

import (
	"encoding/json"
	"testing"
)

func TestParseSize(t *testing.T) {
	for in, want := range map[string]Value{
		"0": Bytes(0), "512": Bytes(512), "512B": Bytes(512), "256M": Bytes(256 << 20), "1G": Bytes(1 << 30),
		"1.5G": Bytes(3 << 29), "1500M": Bytes(1500 << 20), "64KiB": Bytes(64 << 10), "max": Max, "infinity": Max,
		"16777215T": Bytes(16777215 << 40),
	} {
		if got, err := ParseSize(in); err != nil || got != want {
			t.Errorf("ParseSize(%q) = %v, %v; want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "-1", "M", "10%", "1X", "1MM", "1.2.3G", "1e9", "0x10", "99999999999999999999", "17E", "18.0E", "1 M", "absent", "i"} {
		if got, err := ParseSize(in); err == nil {
			t.Errorf("ParseSize(%q) = %v, want an error", in, got)
		}
	}
}

func TestThreeKindsStayApart(t *testing.T) {
	for _, tc := range []struct {
		v    Value
		text string
		json string
	}{
		{Absent, "absent", "null"},
		{Max, "max", `"max"`},
		{Bytes(0), "0", "0"},
		{Bytes(256 << 20), "256M", "268435456"},
	} {
		if tc.v.String() != tc.text {
			t.Errorf("%#v: String %q, want %q", tc.v, tc.v, tc.text)
		}
		b, err := json.Marshal(tc.v)
		if err != nil || string(b) != tc.json {
			t.Errorf("%v: JSON %s, %v; want %s", tc.v, b, err, tc.json)
		}
		var back Value
		if err := json.Unmarshal(b, &back); err != nil || back != tc.v {
			t.Errorf("%v: came back as %v, %v", tc.v, back, err)
		}
		if n, ok := tc.v.Systemd(); ok != !tc.v.IsAbsent() || ok && FromSystemd(n) != tc.v {
			t.Errorf("%v: systemd %d, %v", tc.v, n, ok)
		}
	}
}

func TestMergeKeepsZero(t *testing.T) {
	base := Set{Max: Bytes(1 << 30), SwapMax: Bytes(128 << 20), Low: Bytes(1)}
	got := Set{SwapMax: Bytes(0), High: Max}.Merge(base)
	want := Set{Max: Bytes(1 << 30), High: Max, Low: Bytes(1), SwapMax: Bytes(0)}
	if got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestHumanize(t *testing.T) {
	for in, want := range map[uint64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 209379328: "199.7 MiB", 1 << 30: "1.0 GiB", 1<<30 - 1: "1.0 GiB"} {
		if got := Humanize(in); got != want {
			t.Errorf("Humanize(%d) = %q, want %q", in, got, want)
		}
	}
}

func FuzzParseKernel(f *testing.F) {
	for _, s := range []string{"max\n", "0\n", "268435456\n", "9223372036854771712", "", "-1", "max max"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := ParseKernel(b)
		if err != nil && !v.IsAbsent() {
			t.Fatalf("%q: value %v beside error %v", b, v, err)
		}
		if err == nil && v.IsAbsent() {
			t.Fatalf("%q: absent without an error", b)
		}
	})
}

func FuzzParseSize(f *testing.F) {
	for _, s := range []string{"256M", "1.5G", "max", "1KiB", "1.9999E", "B"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseSize(s)
		if err != nil {
			return
		}
		if back, err := ParseSize(v.String()); err != nil || back != v {
			t.Fatalf("%q = %v, which reads back as %v, %v", s, v, back, err)
		}
	})
}
