// Package restart decides when a service may be restarted: not within the
// cool-down of the last one, not more often than the budget of the window
// allows; and when that budget is used up it gives up until a person steps in.
// It is pure: time arrives as an argument, on the boot clock.
package restart
