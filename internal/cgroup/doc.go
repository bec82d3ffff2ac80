// Package cgroup reads, watches and, where memsup owns it, shapes one control
// group of the unified hierarchy (Documentation/admin-guide/cgroup-v2.rst).
//
// A [Group] is a handle: a directory descriptor, and descriptors of the files
// that every sample reads. [Group.Read] is one pread per file into a reused
// buffer; it allocates nothing and invents nothing: a file or line that this
// kernel does not have is absent, and any other failure is an error, after which
// the [Reading] must not be used. A [Watcher] waits on one inotify descriptor
// for the memory events of any number of groups. A [Subtree] creates and
// deletes groups inside a delegated subtree for the cgroupfs driver; groups that
// belong to systemd are never written to, but for memory.reclaim, and for memory.high
// in their last moments.
//
// # Why not containerd/cgroups for the samples
//
// github.com/containerd/cgroups/v3 finds the host's mode (internal/feature) and
// creates and deletes groups here. Its Stat is not used, for three reasons:
//
//   - It returns 0 for a file that it could not read, so a vanishing cgroup looks
//     like memory dropping to nothing, which ruins a trend and resolves an alert.
//   - It opens, reads through bufio and closes some twenty files and fills maps
//     of strings: some eight times the instructions of [Group.Read], and 340
//     allocations to its none (BenchmarkSample, figures in docs/benchmarks.md).
//   - Its event channel has no context and blocks when its reader leaves.
//
// It does not write limits either: its values are signed integers, in which
// "max" has no spelling.
package cgroup
