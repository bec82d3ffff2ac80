package supervise

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/memsup/memsup/internal/cgroup"
	"github.com/memsup/memsup/internal/kmsg"
	"github.com/memsup/memsup/internal/psi"
	"github.com/memsup/memsup/internal/service"
)

// listen takes the kernel's events of all services and hands each to its actor.
// The listeners end when their sources are closed, which ctx's end does.
func (s *Supervisor) listen(ctx context.Context) {
	s.done.Go(func() {
		var notices []cgroup.Notice
		for {
			var err error
			if notices, err = s.host.Memory.Wait(notices); err != nil {
				s.deaf(err, "memory.events")
				return
			}
			for _, n := range notices {
				if n.Change&cgroup.MemoryEvents != 0 {
					s.route(n.Key, service.MemoryEvent)
				}
			}
		}
	})
	if s.host.Pressure != nil {
		s.done.Go(func() {
			var events []psi.Event
			for {
				var err error
				if events, err = s.host.Pressure.Wait(events); err != nil {
					s.deaf(err, "pressure triggers")
					return
				}
				for _, e := range events {
					if !e.Gone {
						s.route(e.Key, service.PressureEvent)
					}
				}
			}
		})
	}
	if s.host.Kernel != nil {
		s.done.Go(func() {
			odd := func(err error) { s.deaf(err, "the kernel log") }
			odd(s.host.Kernel.Run(ctx, func(k kmsg.Kill) { s.killed(ctx, k) }, odd))
		})
	}
	s.done.Go(func() {
		<-ctx.Done()
		err := s.host.Memory.Close()
		if s.host.Pressure != nil {
			err = errors.Join(err, s.host.Pressure.Close())
		}
		s.deaf(err, "closing what is listened to")
	})
}

// deaf records, once for each cause, that a source of events ended otherwise than by
// being closed. The schedule goes on, so that the service is still watched.
func (s *Supervisor) deaf(err error, what string) {
	if err == nil || errors.Is(err, os.ErrClosed) || errors.Is(err, context.Canceled) {
		return
	}
	if before, told := s.deafTo.Swap(what, err.Error()); told && before == err.Error() {
		return
	}
	s.host.Journal.Append(service.Decision{At: s.host.Now(), Note: &service.Note{Kind: "trouble", Message: what + ": " + err.Error()}})
}

// route wakes the actor of a gauge's key, which begins with the service's name.
func (s *Supervisor) route(key string, cause service.Cause) {
	name, _, _ := strings.Cut(key, " ")
	s.mu.RLock()
	a := s.actors[name]
	s.mu.RUnlock()
	if a != nil {
		a.kick(kick{cause: cause, seen: s.host.Now().Boot})
	}
}

// drainKernelLog hears out what the kernel log has to say now.
func (s *Supervisor) drainKernelLog(ctx context.Context) {
	if s.host.Kernel == nil {
		return
	}
	s.deaf(s.host.Kernel.Drain(func(k kmsg.Kill) { s.killed(ctx, k) }), "the kernel log")
}

// killed tells the engine of a kill, if the victim was of one of the services.
func (s *Supervisor) killed(ctx context.Context, k kmsg.Kill) {
	if a := s.owner(k.TaskMemcg); a != nil {
		a.tell(ctx, service.OOMKilled{Victim: k.Victim})
	}
}

// owner returns the actor of the service that a cgroup belongs to, the innermost of
// several, or nil. The unit may have lost its cgroup by now.
//
// The kernel log names cgroups from the host's root. In a cgroup namespace (a
// container) memsupd cannot tell where its own root lies below that, and two
// containers may hold services of the same name: rather than to blame one for the
// other's kill, victims go unnamed there, and the counter alone tells of them.
func (s *Supervisor) owner(path string) *actor {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var found *actor
	deepest := 0
	for name, dir := range s.cgroups {
		if within(path, dir) && len(dir) > deepest {
			found, deepest = s.actors[name], len(dir)
		}
	}
	return found
}

// within reports whether the cgroup path is dir or below it.
func within(path, dir string) bool {
	rest, ok := strings.CutPrefix(path, dir)
	return dir != "" && ok && (rest == "" || rest[0] == '/')
}
