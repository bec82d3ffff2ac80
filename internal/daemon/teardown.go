package daemon

import (
	"errors"
	"fmt"
	"time"
)

// teardownTimeout bounds each step: a part that hangs must not keep the rest
// from being closed, nor systemd waiting.
const teardownTimeout = 10 * time.Second

// teardown undoes what was built, last first. A start that fails half way is
// undone by it just as well.
type teardown struct {
	steps []step
}

type step struct {
	name  string
	close func() error
}

// add is called on the line after a part was made.
func (t *teardown) add(name string, closing func() error) {
	t.steps = append(t.steps, step{name, closing})
}

// run closes all, the last first, and returns every error.
func (t *teardown) run() error {
	var errs []error
	for i := len(t.steps) - 1; i >= 0; i-- {
		s := t.steps[i]
		done := make(chan error, 1)
		go func() { done <- s.close() }()
		bound := time.NewTimer(teardownTimeout)
		select {
		case err := <-done:
			if err != nil {
				errs = append(errs, fmt.Errorf("close %s: %w", s.name, err))
			}
		case <-bound.C:
			errs = append(errs, fmt.Errorf("close %s: not done after %v", s.name, teardownTimeout))
		}
		bound.Stop()
	}
	t.steps = nil
	return errors.Join(errs...)
}
