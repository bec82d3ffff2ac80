package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// consoleTail is how much of the console an error message shows.
const consoleTail = 4 << 10

var errTimeout = errors.New("the guest did not end in time")

// run boots a guest for opt's command and returns the command's exit code. Any
// error is the guest's own, never the command's; it carries the console's end.
func run(ctx context.Context, opt options, stdout, stderr io.Writer) (code int, err error) {
	img, err := openImage(ctx, opt.suite, stderr)
	if err != nil {
		return 0, err
	}
	defer img.Close() //nolint:errcheck // opened for the lock
	kind, err := chooseAccel(ctx, img, opt.icount)
	if err != nil {
		return 0, err
	}
	cache, err := cacheRoot()
	if err != nil {
		return 0, err
	}
	drives, err := newWork(cache)
	if err != nil {
		return 0, err
	}
	defer drives.Close() //nolint:errcheck // the next guest sweeps
	if opt.shell {
		opt.rows, opt.cols = terminalSize(os.Stdin)
	}
	m, err := prepare(drives, img, kind, opt)
	if err != nil {
		return 0, err
	}

	said := newTail(consoleTail)
	ports := serial{stdout: stdout, console: said}
	if opt.console != "" {
		f, err := os.Create(opt.console)
		if err != nil {
			return 0, fmt.Errorf("console file: %w", err)
		}
		defer f.Close() //nolint:errcheck // a record for people
		ports.console = io.MultiWriter(f, said)
	}
	if opt.timeout > 0 {
		cause := fmt.Errorf("%w: killed after %v", errTimeout, opt.timeout)
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, opt.timeout, cause)
		defer cancel()
	}
	start := boot
	if opt.shell {
		start = bootShell
	}
	clock := newStopwatch(stdout)
	ports.stdout = clock
	if err := start(ctx, m, ports); err != nil {
		return 0, withConsole(err, said)
	}
	if opt.verbose {
		fmt.Fprintf(stderr, "guest: %s, %s: %s\n", opt.suite, kind, clock)
	}
	code, err = collect(m.out, opt.out)
	if err != nil {
		return 0, withConsole(err, said)
	}
	return code, nil
}

// prepare makes the drives and returns the machine that uses them.
func prepare(drives *work, img *image, kind accel, opt options) (machine, error) {
	m := machine{
		accel: kind, smp: opt.smp, mem: opt.mem,
		kernel: img.path("vmlinuz"), initrd: img.path("initrd"), disk: img.path("disk.img"),
		in: drives.path("in.tar"), out: drives.path("out.img"),
		forwards: opt.forwards, kernelArgs: opt.kernelArgs,
	}
	in, err := os.Create(m.in)
	if err != nil {
		return m, fmt.Errorf("hand in: %w", err)
	}
	err = writeIn(in, opt, environment(kind, opt))
	if err := errors.Join(err, in.Close()); err != nil {
		return m, err
	}
	if err := sparse(m.out, resultSize); err != nil {
		return m, err
	}
	if opt.swap > 0 {
		m.swap = drives.path("swap.img")
		return m, sparse(m.swap, int64(opt.swap)<<20)
	}
	return m, nil
}

// environment is the command's: what it finds where, and in what guest.
func environment(kind accel, opt options) []string {
	env := []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/root", "LANG=C.UTF-8", "SYSTEMD_PAGER=cat",
		"GUEST=" + opt.suite, "GUEST_ACCEL=" + string(kind),
		"GUEST_IN=/guest/in", "GUEST_OUT=/guest/out",
	}
	if opt.shell {
		env = append(env, "TERM="+os.Getenv("TERM"))
	} else {
		env = append(env, "TERM=dumb", "SYSTEMD_COLORS=0")
	}
	return append(env, opt.env...)
}

func sparse(path string, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("make drive: %w", err)
	}
	if err := errors.Join(f.Truncate(size), f.Close()); err != nil {
		return fmt.Errorf("make drive: %w", err)
	}
	return nil
}

// collect reads the result drive and unpacks its files into dir.
func collect(drive, dir string) (code int, err error) {
	f, err := os.Open(drive)
	if err != nil {
		return 0, fmt.Errorf("open result: %w", err)
	}
	defer f.Close() //nolint:errcheck // opened for reading
	header := make([]byte, headerSize)
	if _, err := io.ReadFull(f, header); err != nil {
		return 0, fmt.Errorf("read result: %w", err)
	}
	res, err := parseResult(header)
	if err != nil {
		return 0, err
	}
	if res.files && dir != "" {
		if err := unpackBack(io.NewSectionReader(f, filesOffset, resultSize-filesOffset), dir); err != nil {
			return 0, err
		}
	}
	return res.code, nil
}

func withConsole(err error, said *tail) error {
	if text := said.String(); text != "" {
		return fmt.Errorf("%w; the end of the console:\n  | %s", err, strings.ReplaceAll(text, "\n", "\n  | "))
	}
	return fmt.Errorf("%w; nothing on the console", err)
}
