package daemon

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTeardownClosesTheLastFirstAndAll(t *testing.T) {
	var closed []string
	var down teardown
	for _, name := range []string{"state", "watcher", "log"} {
		down.add(name, func() error {
			closed = append(closed, name)
			if name == "watcher" {
				return errors.New("busy")
			}
			return nil
		})
	}
	err := down.run()
	if diff := cmp.Diff([]string{"log", "watcher", "state"}, closed); diff != "" {
		t.Error(diff)
	}
	if err == nil || err.Error() != "close watcher: busy" {
		t.Errorf("got %v", err)
	}
	if err := down.run(); err != nil || len(closed) != 3 {
		t.Errorf("run again: %v, closed %v", err, closed)
	}
}

func TestTeardownDoesNotWaitForAPartThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down teardown
		hang := make(chan struct{})
		rest := false
		down.add("rest", func() error { rest = true; return nil })
		down.add("hung", func() error { <-hang; return nil })
		began := time.Now()
		err := down.run()
		if err == nil || !strings.Contains(err.Error(), "close hung: not done after") || !rest {
			t.Errorf("got %v, the rest closed: %v", err, rest)
		}
		if d := time.Since(began); d != teardownTimeout {
			t.Errorf("it took %v", d)
		}
		close(hang)
	})
}
