package cgroup

import (
	"context"
	"errors"
	"fmt"
)

// Await blocks until the cgroup's state satisfies done: frozen after
// [Group.Freeze], unpopulated after [Group.Kill]. It waits on the kernel's
// notifications and polls nothing.
//
// The error is ctx's, or ErrGone: a cgroup that was removed has no processes.
func (g *Group) Await(ctx context.Context, done func(State) bool) (err error) {
	w, err := NewWatcher()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() {
		_ = w.Close() // the Close below returns its error
	})
	defer func() {
		stop()
		err = errors.Join(err, w.Close())
	}()
	if err := w.Add(g, ""); err != nil {
		return g.awaitError(ctx, err)
	}
	var notices []Notice
	for {
		s, err := g.ReadState() // after Add, so that no change falls between
		if err != nil {
			return err
		}
		if done(s) {
			return nil
		}
		if notices, err = w.Wait(notices); err != nil {
			return g.awaitError(ctx, err)
		}
	}
}

func (g *Group) awaitError(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ErrClosed) {
		err = ctx.Err()
	}
	return fmt.Errorf("await cgroup %s: %w", g.path, err)
}
