package main

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
)

// accel is how the guest's processor is made.
type accel string

const (
	accelKVM accel = "kvm"
	accelTCG accel = "tcg" // software emulation
	// accelICount is emulation with guest time tied to executed instructions:
	// idle time is skipped, so what happens does not depend on the host's load.
	accelICount accel = "icount"
)

const (
	// consoleFD is the descriptor on which QEMU finds the console's pipe.
	consoleFD = 3
	// firstPort is the guest's port of the first forward; recipe/run proxies
	// it to the loopback port that was asked for.
	firstPort = 20000
)

// machine is one QEMU to start: paths and sizes, nothing opened yet.
type machine struct {
	accel          accel
	smp            int
	mem            mebibytes
	kernel, initrd string
	disk           string // image, read-only; empty for a probe of the initrd
	in, out, swap  string // raw drives; swap may be empty
	forwards       forwards
	kernelArgs     string
}

// argv returns QEMU's arguments (qemu-system(1)). Console on the first serial
// port, into descriptor consoleFD; the second is QEMU's standard input and
// output.
func (m machine) argv() []string {
	smp := m.smp
	argv := []string{"-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-machine", "pc"}
	switch m.accel {
	case accelKVM:
		argv = append(argv, "-accel", "kvm", "-cpu", "host")
	case accelICount:
		smp = 1
		argv = append(argv, "-accel", "tcg", "-cpu", "max", "-icount", "shift=0,sleep=off", "-rtc", "clock=vm")
	case accelTCG:
		argv = append(argv, "-accel", "tcg,thread=multi", "-cpu", "max")
	}
	argv = append(argv,
		"-smp", strconv.Itoa(smp), "-m", m.mem.String(),
		"-kernel", m.kernel, "-initrd", m.initrd, "-append", m.commandLine(),
		"-chardev", fmt.Sprintf("file,id=console,path=/dev/fd/%d", consoleFD), "-serial", "chardev:console",
		"-chardev", "stdio,id=stream,signal=off", "-serial", "chardev:stream",
	)
	// In this order they are vda, vdb, vdc and vdd.
	if m.disk != "" {
		argv = append(argv,
			"-drive", drive(m.disk, "readonly=on"),
			"-drive", drive(m.in, "readonly=on"),
			"-drive", drive(m.out, "cache=unsafe"))
	}
	if m.swap != "" {
		argv = append(argv, "-drive", drive(m.swap, "cache=unsafe"))
	}
	if len(m.forwards) > 0 {
		// restrict: the guest reaches nothing; only the forwards reach it.
		net := "user,id=net,restrict=on"
		for i, f := range m.forwards {
			net += fmt.Sprintf(",hostfwd=tcp:%s:%d-10.0.2.15:%d", f.host, f.port, firstPort+i)
		}
		argv = append(argv, "-netdev", net, "-device", "virtio-net-pci,netdev=net,romfile=")
	}
	return argv
}

// commandLine is the kernel's. The console shows emergencies only: each byte
// costs an emulated exit, and dmesg has it all (log_buf_len).
func (m machine) commandLine() string {
	args := []string{
		"console=ttyS0", "quiet", "loglevel=1", "panic=-1", "log_buf_len=4M", "audit=0", "TERM=dumb",
		"psi=1", "mitigations=off", "tsc=reliable", "net.ifnames=0",
		"systemd.show_status=0", "systemd.unified_cgroup_hierarchy=1",
	}
	if m.kernelArgs != "" {
		args = append(args, m.kernelArgs)
	}
	return strings.Join(args, " ")
}

// drive is the value of -drive; a comma in a path is doubled (qemu(1)).
func drive(path, options string) string {
	return "file=" + strings.ReplaceAll(path, ",", ",,") + ",format=raw,if=virtio," + options
}

// emulator is QEMU's name for the host's architecture.
func emulator() string {
	if runtime.GOARCH == "arm64" {
		return "qemu-system-aarch64"
	}
	return "qemu-system-x86_64"
}
