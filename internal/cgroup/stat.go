package cgroup

import (
	"fmt"
	"strings"
)

// parseStat parses memory.stat, bytes and counts by key:
//
//	anon 30294016
//	file 14831616
//	kernel 5320704
//	…
//	workingset_refault_anon 0
//	workingset_refault_file 1183
//
// Keys come and go and change their order between kernels, so nothing is taken
// from its position. One pass, a switch that the compiler turns into a search by
// length and content: about a microsecond for the 60 lines of a 6.12 kernel,
// which is a tenth of what the kernel takes to write them.
func parseStat(b []byte) (Stat, error) {
	var s Stat
	var seen uint
	for len(b) > 0 {
		key, n, rest, err := keyValue(b)
		if err != nil {
			return Stat{}, err
		}
		b = rest
		switch string(key) {
		case "anon":
			s.Anon, seen = n, seen|1<<0
		case "file":
			s.File, seen = n, seen|1<<1
		case "sock":
			s.Sock, seen = n, seen|1<<2
		case "shmem":
			s.Shmem, seen = n, seen|1<<3
		case "inactive_anon":
			s.InactiveAnon, seen = n, seen|1<<4
		case "active_anon":
			s.ActiveAnon, seen = n, seen|1<<5
		case "inactive_file":
			s.InactiveFile, seen = n, seen|1<<6
		case "active_file":
			s.ActiveFile, seen = n, seen|1<<7
		case "unevictable":
			s.Unevictable, seen = n, seen|1<<8
		case "slab_reclaimable":
			s.SlabReclaimable, seen = n, seen|1<<9
		case "workingset_refault_anon":
			s.WorkingsetRefaultAnon, seen = n, seen|1<<10
		case "workingset_refault_file":
			s.WorkingsetRefaultFile, seen = n, seen|1<<11
		case "kernel":
			s.Kernel = Known(n)
		case "kernel_stack":
			s.KernelStack = Known(n)
		case "pagetables":
			s.Pagetables = Known(n)
		case "slab_unreclaimable":
			s.SlabUnreclaimable = Known(n)
		case "file_dirty":
			s.FileDirty = Known(n)
		case "file_writeback":
			s.FileWriteback = Known(n)
		case "anon_thp":
			s.AnonTHP = Known(n)
		case "zswap":
			s.Zswap = Known(n)
		case "zswapped":
			s.Zswapped = Known(n)
		case "pgscan":
			s.Pgscan = Known(n)
		case "pgsteal":
			s.Pgsteal = Known(n)
		case "pgmajfault":
			s.Pgmajfault = Known(n)
		}
	}
	if missing := allStat &^ seen; missing != 0 {
		return Stat{}, fmt.Errorf("no line %s", missingStat(missing))
	}
	return s, nil
}

// statKeys are the keys that must be there, in the order of their bits.
var statKeys = [...]string{
	"anon", "file", "sock", "shmem", "inactive_anon", "active_anon", "inactive_file", "active_file",
	"unevictable", "slab_reclaimable", "workingset_refault_anon", "workingset_refault_file",
}

const allStat = uint(1)<<len(statKeys) - 1

func missingStat(bits uint) string {
	var keys []string
	for i, key := range statKeys {
		if bits>>i&1 != 0 {
			keys = append(keys, key)
		}
	}
	return strings.Join(keys, ", ")
}
