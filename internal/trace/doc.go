// Package trace reads recordings of a cgroup's memory: CSV with a header, a row for each
// sample, and a second file beside it with what fewer recorders know. It is how the
// leak detector is tried on the past.
package trace
