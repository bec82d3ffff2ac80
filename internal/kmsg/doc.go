// Package kmsg hears from the kernel log which process the OOM killer ended, and
// for whose limit (Documentation/ABI/testing/dev-kmsg).
//
// The counters in memory.events say that a kill happened, the log says who died.
// The kernel writes the line before it raises the counter, so that whoever is
// woken by the counter and then drains the log knows the victim.
package kmsg
