package leak

import (
	"math"
	"time"
)

// Sample is one reading of a service's cgroup. Memory is in bytes, named as in
// memory.stat (Documentation/admin-guide/cgroup-v2.rst).
type Sample struct {
	Anon, Swap      uint64
	Kernel, Sock    uint64 // Kernel includes the reclaimable slab
	SlabReclaimable uint64
	Shmem           uint64
	Procs           int           // 0: the service is down, and what follows is another run
	Limit           uint64        // memory.max; 0: there is none
	CPU             time.Duration // usage_usec of cpu.stat, since any moment; 0: unknown
}

// series is a kind of memory that only the service itself can give back.
type series int

const (
	private series = iota // anon + swap: a heap leaks whether it is swapped out or not
	kernel                // kernel + sock - reclaimable slab: descriptors, sockets
	shared                // shmem: tmpfs and shared mappings
	kinds
)

// Class is the kind of memory that leaks, as memory.current has them.
type Class string

// The classes. File is shmem, which memory.stat counts as file.
const (
	Anon   Class = "anon"
	Kernel Class = "kernel"
	File   Class = "file"
)

var classes = [kinds]Class{private: Anon, kernel: Kernel, shared: File}

// split returns the series of a sample, in bytes. The files of cgroupfs are not read
// at one instant, so the slab may exceed the kernel memory that includes it.
func (s *Sample) split() [kinds]float64 {
	k := float64(s.Kernel) + float64(s.Sock) - float64(s.SlabReclaimable)
	return [kinds]float64{float64(s.Anon) + float64(s.Swap), math.Max(0, k), float64(s.Shmem)}
}

// resident is what counts against the limit and cannot be dropped, in bytes.
func (s *Sample) resident() float64 {
	v := s.split()
	return float64(s.Anon) + v[kernel] + v[shared]
}
