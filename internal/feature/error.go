package feature

import "errors"

// Error says that this host lacks something, which version brings it, and what
// to do about it. It matches [errors.ErrUnsupported], so that callers which
// only want to go on without the feature need not know this package.
type Error struct {
	Feature string // what is missing, in the field's words: "memory.reclaim"
	Missing string // what was found instead: "this kernel (5.15) does not have it"
	Need    string // the least version that has it: "kernel 5.19"; "" when no version would help
	Fix     string // what a person does about it: "boot with psi=1"
}

// Error returns one sentence: what is missing, why, and the fix.
func (e *Error) Error() string {
	s := e.Feature + ": " + e.Missing
	if e.Need != "" {
		s += " (needs " + e.Need + ")"
	}
	if e.Fix != "" {
		s += "; " + e.Fix
	}
	return s
}

// Is reports whether target is [errors.ErrUnsupported].
func (e *Error) Is(target error) bool { return target == errors.ErrUnsupported }
