package daemon

import (
	"strings"
	"testing"

	"github.com/memsup/memsup/internal/service"
)

func TestAServiceThatRunsUnwatchedIsNoGoodHealth(t *testing.T) {
	good := service.Status{Name: "good", Phase: service.Running}
	down := service.Status{Name: "down", Phase: service.Stopped, Detail: "down.service is not running"}
	if err := unwatched([]service.Status{good, down}); err != nil {
		t.Errorf("all is well, and yet: %v", err)
	}
	blind := service.Status{Name: "blind", Phase: service.Running, Unmeasured: "open cgroup: no"}
	if err := unwatched([]service.Status{good, blind}); err == nil || !strings.Contains(err.Error(), "blind: open cgroup: no") {
		t.Errorf("got %v", err)
	}
}
