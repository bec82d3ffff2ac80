package supervise

import (
	"errors"
	"os"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/memsup/memsup/internal/service"
)

func TestASourceThatFailsAgainAndAgainIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run([]service.Spec{spec}, func() {
			r := w.host.Journal.Read(10)
			for range 3 {
				w.s.deaf(errors.New("read the kernel log: input/output error"), "the kernel log")
			}
			w.s.deaf(errors.New("no memory"), "the kernel log")
			w.s.deaf(os.ErrClosed, "memory.events")
			r.Close()
			var told []string
			for e := range r.C {
				told = append(told, e.Decision.Note.Message)
			}
			want := []string{"the kernel log: read the kernel log: input/output error", "the kernel log: no memory"}
			if diff := cmp.Diff(want, told); diff != "" {
				t.Error(diff)
			}
		})
	})
}
