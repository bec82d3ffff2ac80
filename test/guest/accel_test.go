package main

import "testing"

func TestParseProbe(t *testing.T) {
	for _, test := range []struct {
		said string
		want accel // empty: to be probed again
	}{
		{"boot-1 kvm\n", accelKVM},
		{"boot-1 tcg\n", accelTCG},
		{"boot-0 kvm\n", ""},
		{"boot-1 icount\n", ""},
		{"boot-1\n", ""},
		{"", ""},
	} {
		got, ok := parseProbe([]byte(test.said), "boot-1")
		if ok != (test.want != "") || ok && got != test.want {
			t.Errorf("parseProbe(%q) = %q, %v; want %q", test.said, got, ok, test.want)
		}
	}
}

func TestChooseAccel(t *testing.T) {
	for _, test := range []struct {
		forced string
		icount bool
		want   accel
	}{
		{"kvm", false, accelKVM},
		{"tcg", false, accelTCG},
		{"kvm", true, accelICount},
	} {
		t.Setenv("GUEST_ACCEL", test.forced)
		got, err := chooseAccel(t.Context(), nil, test.icount)
		if err != nil || got != test.want {
			t.Errorf("GUEST_ACCEL=%s, icount %v: %q, %v; want %q", test.forced, test.icount, got, err, test.want)
		}
	}
	t.Setenv("GUEST_ACCEL", "hvf")
	if got, err := chooseAccel(t.Context(), nil, false); err == nil {
		t.Errorf("GUEST_ACCEL=hvf gives %q", got)
	}
}
