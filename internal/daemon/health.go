package daemon

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/memsup/memsup/internal/service"
	"github.com/memsup/memsup/internal/state"
	"github.com/memsup/memsup/internal/supervise"
	"github.com/memsup/memsup/internal/unit"
)

// health knows how each part of the daemon is.
type health struct {
	version string
	since   time.Time
	missing []string
	systemd *unit.Watch // of no unit: it knows whether systemd can be reached
	state   *state.Writer

	mu     sync.Mutex
	faults map[string]error // by part; nil: it is well
}

func newHealth(version string) *health {
	return &health{version: version, since: time.Now(), missing: []string{}, faults: map[string]error{"config": nil}}
}

// set records the fault of a part, or that it has none.
func (h *health) set(part string, fault error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults[part] = fault
}

// source is what the API reads.
type source struct {
	*supervise.Supervisor
	health *health
}

// aliveTimeout is what the line may take to answer that it moves.
const aliveTimeout = 2 * time.Second

// unwatched returns an error that names the services which run and cannot be
// measured, or nil.
func unwatched(all []service.Status) error {
	var blind []string
	for _, st := range all {
		if st.Unmeasured != "" {
			blind = append(blind, st.Name+": "+st.Unmeasured)
		}
	}
	if blind == nil {
		return nil
	}
	return errors.New(strings.Join(blind, "; "))
}

// Health returns how the daemon is now.
func (s source) Health() service.Health {
	h := s.health
	out := service.Health{Status: "ok", Version: h.version, Since: h.since, Missing: h.missing}
	add := func(part string, fault error) {
		sub := service.Subsystem{Name: part, OK: fault == nil}
		if fault != nil {
			sub.Detail = fault.Error()
			out.Status = "degraded"
		}
		out.Subsystems = append(out.Subsystems, sub)
	}
	ctx, cancel := context.WithTimeout(context.Background(), aliveTimeout)
	add("engine", s.Alive(ctx))
	cancel()
	add("services", unwatched(s.Services()))
	add("state", h.state.Err())
	if h.systemd != nil {
		var fault error
		if !h.systemd.Take().Connected {
			fault = unit.ErrDisconnected
		}
		add("systemd", fault)
	}
	h.mu.Lock()
	for part, fault := range h.faults {
		add(part, fault)
	}
	h.mu.Unlock()
	slices.SortFunc(out.Subsystems, func(a, b service.Subsystem) int { return strings.Compare(a.Name, b.Name) })
	return out
}
