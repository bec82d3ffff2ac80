package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMebibytes(t *testing.T) {
	for _, test := range []struct {
		in   string
		want mebibytes // 0: refused
	}{
		{"512", 512}, {"512M", 512}, {"2G", 2048}, {"1024G", 1 << 20},
		{"", 0}, {"0", 0}, {"-1", 0}, {"1025G", 0}, {"512k", 0}, {"1.5G", 0}, {"G", 0},
		{"99999999999999999999", 0},
	} {
		var got mebibytes
		err := got.Set(test.in)
		if (err == nil) != (test.want != 0) || got != test.want {
			t.Errorf("Set(%q) = %d, %v; want %d", test.in, got, err, test.want)
		}
	}
}

func TestForwards(t *testing.T) {
	var got forwards
	for _, good := range []string{"127.0.0.1:3007:3007", "0.0.0.0:80:65535"} {
		if err := got.Set(good); err != nil {
			t.Errorf("Set(%q): %v", good, err)
		}
	}
	want := forwards{{"127.0.0.1", 3007, 3007}, {"0.0.0.0", 80, 65535}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(forward{})); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{
		"", "3007", "3007:3007", "localhost:1:2", "127.0.0.1:0:1", "127.0.0.1:1:0",
		"127.0.0.1:65536:1", "127.0.0.1:1:2,x=y", "::1:1:2", "127.0.0.1:1:2:3",
	} {
		if err := got.Set(bad); err == nil {
			t.Errorf("Set(%q) was taken", bad)
		}
	}
}
