package supervise

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/memsup/memsup/internal/service"
)

// actor watches one service and acts on it.
type actor struct {
	spec service.Spec
	s    *Supervisor

	lives chan life     // the newest life of the unit, for the goroutine that reads its cgroup
	kicks chan kick     // an event of the kernel's; further ones merge with the one that waits
	again chan struct{} // the unit is to be looked at, and told of, again
	limit chan struct{} // the limits were changed
	ended chan struct{}
	once  sync.Once

	opened uint64 // cgroups so far; owned by measure
}

// life is one run of a unit: a cgroup and the processes in it.
type life struct {
	incarnation string
	cgroup      string // "" when there is none
}

// kick is an event of the kernel's.
type kick struct {
	cause service.Cause
	seen  time.Duration // when memsupd woke, on the boot clock
}

func newActor(spec service.Spec, s *Supervisor) *actor {
	return &actor{
		spec: spec, s: s, lives: make(chan life, 1), kicks: make(chan kick, 1),
		again: make(chan struct{}, 1), limit: make(chan struct{}, 1), ended: make(chan struct{}),
	}
}

func (a *actor) sameAs(spec service.Spec) bool { return reflect.DeepEqual(a.spec, spec) }

// start begins to watch, until the actor is stopped or ctx ends.
func (a *actor) start(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	a.s.done.Go(func() {
		defer cancel()
		select {
		case <-a.ended:
		case <-ctx.Done():
		}
	})
	a.s.done.Go(func() { a.follow(ctx) })
	a.s.done.Go(func() { a.measure(ctx) })
}

// stop ends the watching; an action in progress goes on to its end.
func (a *actor) stop() { a.once.Do(func() { close(a.ended) }) }

// tell hands a fact to the engine.
func (a *actor) tell(ctx context.Context, f service.Fact) {
	select {
	case a.s.in <- service.Observation{Service: a.spec.Name, Fact: f}:
	case <-ctx.Done():
	}
}

// note records something that is not the engine's to decide.
func (a *actor) note(kind, format string, args ...any) {
	a.s.host.Journal.Append(service.Decision{
		At: a.s.host.Now(), Service: a.spec.Name,
		Note: &service.Note{Kind: kind, Message: fmt.Sprintf(format, args...)},
	})
}

// token leaves one in a channel that has room for one.
func token(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// kick tells of a kernel event without ever waiting.
func (a *actor) kick(k kick) {
	select {
	case a.kicks <- k:
	default: // one waits already, and the sample that it leads to is newer than both
	}
}

// live hands over the newest life in place of one that was not taken yet.
func (a *actor) live(l life) {
	for {
		select {
		case a.lives <- l:
			return
		default:
		}
		select {
		case <-a.lives:
		default:
		}
	}
}
