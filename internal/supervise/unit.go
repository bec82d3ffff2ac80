package supervise

import (
	"context"
	"time"

	"github.com/memsup/memsup/internal/limit"
	"github.com/memsup/memsup/internal/service"
)

// Units binds services to what holds their processes.
type Units interface {
	// Bind follows the unit of a service, which need not exist yet.
	Bind(spec service.Spec) (Unit, error)
}

// Unit is the unit of one service, under any driver.
type Unit interface {
	// Changed receives when it is time to Look again; at least once at first.
	Changed() <-chan struct{}
	// Look reads the unit. That it does not exist is an answer, not an error.
	Look(ctx context.Context) (Look, error)
	// Start launches or starts the service and returns when its job ended.
	Start(ctx context.Context) error
	// Restart ends the service gracefully and starts it again, and returns when
	// that job ended. When ctx ends first, the job goes on.
	Restart(ctx context.Context) error
	// ApplyLimits makes the limits of the last Look the kernel's.
	ApplyLimits(ctx context.Context) error
	// Close stops following; the unit runs on.
	Close() error
}

// Look is a unit as its driver sees it.
type Look struct {
	Unit service.Unit
	// Limits are what the driver believes; a limit that it has no opinion about
	// is absent.
	Limits limit.Set
	// StopTimeout is what the unit allows its processes for ending.
	StopTimeout time.Duration
}
