// Package service holds the values that travel along memsup's line: the
// description of a service ([Spec]), what the outside says about it
// ([Observation]) and what is to be done about it ([Decision]).
//
//	watch ──Observation──> engine ──Decision──> act ──Observation──> …
//
// The values are plain: they open nothing, know no clock and can be written to
// a record and read back. Sizes are bytes, CPU and stall times are durations,
// pressures are percentages of wall time as the kernel prints them.
package service
