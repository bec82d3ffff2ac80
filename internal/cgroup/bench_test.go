package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/containerd/cgroups/v3/cgroup2"
	"golang.org/x/sys/unix"
)

// benchCgroup returns the cgroup to sample: the directory that
// MEMSUP_BENCH_CGROUP names ("/sys/fs/cgroup/system.slice/x.service"), else our
// own where it has memory files, else a tree of regular files, whose reads cost
// nothing like the kernel's: then only the parsing is compared.
func benchCgroup(b *testing.B) (root, path string) {
	b.Helper()
	const mount = "/sys/fs/cgroup"
	if dir := os.Getenv("MEMSUP_BENCH_CGROUP"); dir != "" {
		rel, ok := strings.CutPrefix(filepath.Clean(dir), mount)
		if !ok {
			b.Fatalf("MEMSUP_BENCH_CGROUP=%s: want a directory below %s", dir, mount)
		}
		return mount, rel
	}
	if path, err := FromProc("/proc", os.Getpid()); err == nil {
		if _, err := os.Stat(filepath.Join(mount, path, "memory.current")); err == nil && isCgroup2(b, mount) {
			return mount, path
		}
	}
	return plant(b, "linux-6.12", apiServer), apiServer
}

func isCgroup2(b *testing.B, dir string) bool {
	b.Helper()
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		b.Fatal(err)
	}
	return st.Type == unix.CGROUP2_SUPER_MAGIC
}

// BenchmarkSample compares one sample of one cgroup:
//
//	pread       Group.Read on kept descriptors
//	lean        Group.Read, opening each file
//	current     Group.Current, memory.current alone
//	limits      Group.ReadLimits, the five limits
//	containerd  Stat() of github.com/containerd/cgroups/v3, all controllers
//	filtered    its StatFiltered, of what Read reads
//	naive       os.ReadFile, strings.Fields and a map, of what Read reads
//
// The line "sampled:" says on what.
func BenchmarkSample(b *testing.B) {
	root, path := benchCgroup(b)
	on := path
	if !isCgroup2(b, root) {
		on = "regular files (no cgroup v2 memory on this host)"
	}
	// A configuration line of the benchmark format, which benchstat shows.
	if _, err := fmt.Fprintln(os.Stdout, "sampled:", on); err != nil {
		b.Fatal(err)
	}
	b.Run("pread", func(b *testing.B) { benchRead(b, root, path) })
	b.Run("lean", func(b *testing.B) { benchRead(b, root, path, Lean()) })
	b.Run("current", func(b *testing.B) {
		g := openGroup(b, root, path)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := g.Current(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("limits", func(b *testing.B) {
		g := openGroup(b, root, path)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := g.ReadLimits(); err != nil {
				b.Fatal(err)
			}
		}
	})
	stat := func(mask cgroup2.StatMask) func(*testing.B) {
		return func(b *testing.B) {
			b.Helper()
			m, err := cgroup2.Load(path, cgroup2.WithMountpoint(root))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.StatFiltered(mask); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	b.Run("containerd", stat(cgroup2.StatAll)) // what Stat calls
	b.Run("filtered", stat(cgroup2.StatPids|cgroup2.StatCPU|cgroup2.StatMemory|cgroup2.StatMemoryEvents))
	b.Run("naive", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if n := naive(filepath.Join(root, path)); n == 0 {
				b.Fatal("nothing read")
			}
		}
	})
}

func benchRead(b *testing.B, root, path string, opts ...Option) {
	b.Helper()
	g := openGroup(b, root, path, opts...)
	var r Reading
	b.ReportAllocs()
	for b.Loop() {
		if err := g.Read(&r); err != nil {
			b.Fatal(err)
		}
	}
}

// naive reads the files as a first version of a monitor would.
func naive(dir string) (lines int) {
	for _, f := range files[:sampled] {
		content, err := os.ReadFile(filepath.Join(dir, f.name))
		if err != nil {
			continue // like most first versions
		}
		values := make(map[string]uint64)
		for line := range strings.Lines(string(content)) {
			fields := strings.Fields(line)
			n, err := strconv.ParseUint(fields[len(fields)-1], 10, 64)
			if err == nil {
				values[fields[0]] = n
			}
			lines++
		}
	}
	return lines
}

func BenchmarkParseStat(b *testing.B) {
	for _, kernel := range kernels {
		b.Run(kernel, func(b *testing.B) {
			content := statOf(b, kernel)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := parseStat(content); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
