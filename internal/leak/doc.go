// Package leak tells a leak from everything else that makes memory grow, from samples
// of one service's cgroup, every 1 to 60 seconds, with gaps. It is pure: time arrives
// as an argument, and nothing is read, started or, once it runs, allocated.
//
// It follows three kinds of memory that only the service can give back: private (anon
// and swap), the kernel's (without the reclaimable slab) and shared (tmpfs). Page cache
// is the kernel's to drop and no leak. Of each it keeps floors, the minimum of every
// two minutes for twelve hours, because a garbage collector's sawtooth and bursts leave
// the floors where they are and a leak does not.
//
// Trailing windows from 48 minutes to 12 hours, cut into twelve buckets, are asked
// whether their floors rise: Kendall's rank correlation (Mann 1945, Kendall 1938) and the
// slope of Theil (1950) with the interval of Sen (1968). A window whose memory goes up
// and down with a cycle is asked the same phase by phase (Hirsch, Slack and Smith
// 1982). Growth that rises is no leak yet:
//
//   - a few large steps are not growth, and neither is what more processes bring
//   - a warm-up, a cache and a day's load slow down; a leak does not
//   - a level that this run or an earlier one has held before is not news
//   - growth counts by its size and its length: it must go on for longer, the smaller
//     it is against the room that is left (see patience)
//
// [Threshold] is the plain rule instead: more than so many bytes a minute.
package leak
