// Package engine decides. [State.Step] takes what was observed and returns what
// is to be done; it reads no clock, opens nothing and starts nothing, so a
// decision can be explained from its inputs, and the same inputs give the same
// decisions again.
//
// It composes the pure parts: marks and alerts (package alert) and the restart
// budget (package restart).
package engine
