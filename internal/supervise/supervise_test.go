package supervise

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/memsup/memsup/internal/service"
)

func TestOperatorsRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run([]service.Spec{spec}, func() {
			if _, err := w.s.Restart(t.Context(), "who", "me"); !errors.Is(err, service.ErrUnknown) {
				t.Errorf("unknown: %v", err)
			}
			busy := make(chan error, 1)
			go func() {
				time.Sleep(time.Second)
				_, err := w.s.Restart(t.Context(), "api", "me")
				busy <- err
			}()
			r, err := w.s.Restart(t.Context(), "api", "me")
			if err != nil || r.Outcome != service.Succeeded || r.By != "me" {
				t.Errorf("got %+v, %v", r, err)
			}
			if err := <-busy; !errors.Is(err, service.ErrBusy) {
				t.Errorf("meanwhile: %v", err)
			}
			w.change(func(u *service.Unit) { *u = service.Unit{Phase: service.Masked} })
			synctest.Wait()
			if _, err := w.s.Restart(t.Context(), "api", "me"); !errors.Is(err, service.ErrUnavailable) {
				t.Errorf("masked: %v", err)
			}
		})
	})
}

func TestReconfigureKeepsWhatStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run([]service.Spec{spec}, func() {
			w.use(800)
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if len(w.status().Alerts) != 1 {
				t.Fatalf("alerts: %+v", w.status().Alerts)
			}
			id := w.status().Alerts[0].ID
			moved := spec
			moved.Watermarks.Warning = 0.5
			if err := w.s.Configure(t.Context(), []service.Spec{moved}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if got := w.status(); len(got.Alerts) != 1 || got.Alerts[0].ID != id || got.Alerts[0].Threshold != 0.5 {
				t.Errorf("alerts: %+v", got.Alerts)
			}
			if err := w.s.Configure(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if len(w.s.Services()) != 0 || len(w.keys) != 0 {
				t.Errorf("let go: %v, still watched: %v", w.s.Services(), w.keys)
			}
		})
	})
}

func TestServiceRemovedWhileItIsRestartedIsAnsweredFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run([]service.Spec{spec}, func() {
			end := make(chan service.ActionRecord, 1)
			go func() {
				r, err := w.s.Restart(t.Context(), "api", "me")
				if err != nil {
					t.Error(err)
				}
				end <- r
			}()
			time.Sleep(time.Second) // it has not settled yet
			for _, specs := range [][]service.Spec{nil, {spec}, nil} {
				if err := w.s.Configure(t.Context(), specs); err != nil {
					t.Fatal(err)
				}
			}
			if r := <-end; r.Outcome != service.Succeeded || len(w.s.Services()) != 0 || w.counted(&w.restarts) != 1 {
				t.Errorf("%+v; %v", r, w.s.Services())
			}
		})
	})
}
