package main

import (
	"slices"
	"strings"
	"testing"
)

// after returns the values of every flag of that name.
func after(argv []string, flag string) []string {
	var values []string
	for i := range len(argv) - 1 {
		if argv[i] == flag {
			values = append(values, argv[i+1])
		}
	}
	return values
}

func TestMachineAccelerators(t *testing.T) {
	for _, test := range []struct {
		accel accel
		want  map[string]string
	}{
		{accelTCG, map[string]string{"-accel": "tcg,thread=multi", "-cpu": "max", "-smp": "2"}},
		{accelKVM, map[string]string{"-accel": "kvm", "-cpu": "host", "-smp": "2"}},
		{accelICount, map[string]string{"-accel": "tcg", "-icount": "shift=0,sleep=off", "-smp": "1"}},
	} {
		argv := machine{accel: test.accel, smp: 2, mem: 2048}.argv()
		for flag, want := range test.want {
			if got := after(argv, flag); !slices.Equal(got, []string{want}) {
				t.Errorf("%s: %s %q, want %q", test.accel, flag, got, want)
			}
		}
	}
}

// The guest finds its drives by their order.
func TestMachineDrives(t *testing.T) {
	m := machine{accel: accelTCG, smp: 2, mem: 2048, disk: "/a,b/disk.img", in: "in.tar", out: "out.img", swap: "swap.img"}
	want := []string{
		"file=/a,,b/disk.img,format=raw,if=virtio,readonly=on",
		"file=in.tar,format=raw,if=virtio,readonly=on",
		"file=out.img,format=raw,if=virtio,cache=unsafe",
		"file=swap.img,format=raw,if=virtio,cache=unsafe",
	}
	if got := after(m.argv(), "-drive"); !slices.Equal(got, want) {
		t.Errorf("drives %q, want %q", got, want)
	}
	if got := after(machine{accel: accelKVM}.argv(), "-drive"); got != nil {
		t.Errorf("drives of a probe: %q", got)
	}
}

func TestMachineNetwork(t *testing.T) {
	m := machine{accel: accelTCG}
	if got := after(m.argv(), "-netdev"); got != nil {
		t.Errorf("network without a forward: %q", got)
	}
	m.forwards = forwards{{"127.0.0.1", 3007, 3007}, {"127.0.0.2", 80, 8080}}
	want := "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:3007-10.0.2.15:20000,hostfwd=tcp:127.0.0.2:80-10.0.2.15:20001"
	if got := after(m.argv(), "-netdev"); !slices.Equal(got, []string{want}) {
		t.Errorf("network %q, want %q", got, want)
	}
}

func TestCommandLine(t *testing.T) {
	line := machine{kernelArgs: "loglevel=7 x=y"}.commandLine()
	for _, want := range []string{"psi=1", "console=ttyS0", "panic=-1"} {
		if !slices.Contains(strings.Fields(line), want) {
			t.Errorf("no %s in %q", want, line)
		}
	}
	if !strings.HasSuffix(line, " loglevel=7 x=y") {
		t.Errorf("%q does not end in what was asked for: the last one counts", line)
	}
}
