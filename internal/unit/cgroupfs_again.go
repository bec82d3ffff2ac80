package unit

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// attempts is how many failures in a row are answered with another start. A
	// service that needs more has failed, and is said to.
	attempts = 10
	// pauseMax ends the doubling of the pauses: ten attempts take five minutes.
	pauseMax = time.Minute
	// steady is how long a run must have lasted for the next failure to be the
	// first one again.
	steady = time.Minute
	// pauseDefault is systemd's DefaultRestartSec=.
	pauseDefault = 100 * time.Millisecond
)

// pause is the time between failure n in a row, from 1 on, and the next start;
// false when there were enough. It begins with first and doubles.
func pause(n int, first time.Duration) (time.Duration, bool) {
	if n > attempts {
		return 0, false
	}
	if first <= 0 {
		first = pauseDefault
	}
	for ; n > 1 && first < pauseMax; n-- {
		first *= 2
	}
	return min(first, pauseMax), true
}

// retry is a start that is due later on.
type retry struct{ timer *time.Timer }

// again makes a service that has failed by itself due to be started again; the
// error says that it failed too often for that. It runs under hub.mu.
func (c *Cgroupfs) again(ctx context.Context, l *life) error {
	l.cancelRetry()
	if c.closed {
		return nil
	}
	if time.Since(l.record.Started) >= steady {
		l.failures = 0
	}
	l.failures++
	wait, ok := pause(l.failures, l.record.Spec.RestartSec)
	if !ok {
		return fmt.Errorf("%s failed %d times in a row (%s): it is left alone until someone starts it", l.name, l.failures, l.result)
	}
	r := &retry{}
	r.timer = time.AfterFunc(wait, func() { c.startAgain(context.WithoutCancel(ctx), l, r) })
	l.retry = r
	return nil
}

// startAgain starts a service that has failed, unless something else was done
// to it meanwhile.
func (c *Cgroupfs) startAgain(ctx context.Context, l *life, r *retry) {
	_, err := c.do(ctx, "start", l, func(ctx context.Context) error {
		c.mu.Lock()
		due := l.retry == r && l.proc == nil
		restarts := l.record.NRestarts + 1
		c.mu.Unlock()
		if !due {
			return nil
		}
		err := c.begin(ctx, l, restarts)
		if err != nil && !c.running(l) && ctx.Err() == nil {
			c.mu.Lock()
			err = errors.Join(err, c.again(ctx, l))
			c.mu.Unlock()
		}
		return err
	})
	if err != nil && !errors.Is(err, ErrClosed) {
		c.opts.Trouble(fmt.Errorf("after its failure: %w", err))
	}
}

// cancelRetry takes back what again made due. It runs under hub.mu.
func (l *life) cancelRetry() {
	if l.retry != nil {
		l.retry.timer.Stop()
		l.retry = nil
	}
}
