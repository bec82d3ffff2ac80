package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// probeTimeout bounds the look whether KVM works; where it does, the
	// probe's line is there within two seconds.
	probeTimeout = 10 * time.Second
	probeLine    = "guest-probe-ok" // said by recipe/init
	bootIDPath   = "/proc/sys/kernel/random/boot_id"
)

// chooseAccel decides how to run: GUEST_ACCEL=kvm or tcg forces; otherwise KVM
// where it really runs a kernel. icount is always emulated.
func chooseAccel(ctx context.Context, img *image, icount bool) (accel, error) {
	if icount {
		return accelICount, nil
	}
	switch forced := accel(os.Getenv("GUEST_ACCEL")); forced {
	case accelKVM, accelTCG:
		return forced, nil
	case "":
	default:
		return "", fmt.Errorf("GUEST_ACCEL=%s: want kvm or tcg", forced)
	}
	if usable := unix.Access("/dev/kvm", unix.R_OK|unix.W_OK) == nil; !usable {
		return accelTCG, nil
	}
	return rememberedProbe(ctx, img)
}

// rememberedProbe probes KVM once per boot of the host: some hosts accept every
// KVM request and then hang, which takes the whole timeout to find out.
func rememberedProbe(ctx context.Context, img *image) (accel, error) {
	cache, err := cacheRoot()
	if err != nil {
		return "", err
	}
	id, err := os.ReadFile(bootIDPath)
	if err != nil {
		return "", fmt.Errorf("probe kvm: %w", err)
	}
	bootID := strings.TrimSpace(string(id))
	lock, err := lockFile(filepath.Join(cache, "kvm.lock"))
	if err != nil {
		return "", err
	}
	defer lock.Close() //nolint:errcheck // a lock file
	path := filepath.Join(cache, "kvm")
	said, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("probe kvm: %w", err)
	}
	if kind, ok := parseProbe(said, bootID); ok {
		return kind, nil
	}
	kind, err := probeKVM(ctx, img)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(path, fmt.Appendf(nil, "%s %s\n", bootID, kind), 0o644); err != nil {
		return "", fmt.Errorf("remember kvm probe: %w", err)
	}
	return kind, nil
}

// parseProbe reads "BOOT-ID kvm|tcg"; not ok if it is of another boot.
func parseProbe(said []byte, bootID string) (accel, bool) {
	fields := strings.Fields(string(said))
	if len(fields) != 2 || fields[0] != bootID {
		return "", false
	}
	kind := accel(fields[1])
	return kind, kind == accelKVM || kind == accelTCG
}

// probeKVM boots the kernel and the initrd alone, which powers off after one
// line. An error only if ctx ended; no KVM is an answer.
func probeKVM(ctx context.Context, img *image) (accel, error) {
	probe, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	m := machine{
		accel: accelKVM, smp: 2, mem: 256, kernelArgs: "guest.probe",
		kernel: img.path("vmlinuz"), initrd: img.path("initrd"),
	}
	console := newTail(consoleTail)
	err := boot(probe, m, serial{stdout: io.Discard, console: console})
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err == nil && strings.Contains(console.String(), probeLine) {
		return accelKVM, nil
	}
	return accelTCG, nil
}
