package unit

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"

	"github.com/memsup/memsup/internal/limit"
)

// DefaultSlice holds what memsup launches.
const DefaultSlice = "memsup.slice"

// Spec is a service to launch. Zero fields are left to systemd's defaults.
type Spec struct {
	Name       string   // "api" or "api.service"
	Exec       []string // an absolute path and its arguments; never through a shell
	Env        []string // "NAME=value", on top of what the driver gives: nothing that is private to the daemon
	WorkingDir string   // absolute
	User       string
	Group      string

	Limits      limit.Set
	OOMScoreAdj *int // -1000 to 1000; nil is systemd's default, 0

	StopTimeout time.Duration // TimeoutStopSec=
	KillSignal  int           // SIGTERM when 0
	Restart     string        // "no", "on-failure"; with systemd "always" and the others as well
	RestartSec  time.Duration //nolint:staticcheck // the suffix is of systemd's RestartSec=, not of the value

	// The rest is for the systemd driver.
	Description string
	Slice       string // DefaultSlice when empty
	Type        string // "exec" when empty: a program that cannot be executed fails the launch
	OOMPolicy   string // "continue", "stop", "kill"
}

// Launch has systemd run a transient service, and waits until it has started.
// It never takes over processes that run already. A name that is in use, even
// by a failed unit, is refused with [ErrExists].
func (s *Systemd) Launch(ctx context.Context, spec Spec) (Job, error) {
	name, err := Name(spec.Name)
	if err != nil {
		return Job{}, fmt.Errorf("launch: %w", err)
	}
	if err := spec.validate(); err != nil {
		return Job{}, fmt.Errorf("launch %s: %w", name, err)
	}
	// Mode "fail": a job that is queued for the name is not replaced.
	var aux []systemd.PropertyCollection
	return s.job(ctx, "launch", name, "StartTransientUnit", []any{name, "fail", spec.properties(), aux})
}

// ResetFailed makes systemd forget that a unit failed; a transient unit is
// unloaded by it, so that its name is free.
func (s *Systemd) ResetFailed(ctx context.Context, unit string) error {
	name, err := Name(unit)
	if err != nil {
		return fmt.Errorf("reset failed: %w", err)
	}
	if err := s.call(ctx, managerPath, managerFace+".ResetFailedUnit", []any{name}); err != nil {
		return fmt.Errorf("reset failed: %s: %w", name, err)
	}
	return nil
}

var errSpec = errors.New("invalid service")

// validate refuses what systemd would misunderstand rather than refuse.
func (s Spec) validate() error {
	switch {
	case len(s.Exec) == 0 || !filepath.IsAbs(s.Exec[0]):
		return fmt.Errorf("%w: exec: want an absolute path, got %q", errSpec, s.Exec)
	case s.WorkingDir != "" && !filepath.IsAbs(s.WorkingDir):
		return fmt.Errorf("%w: working directory %q: want an absolute path", errSpec, s.WorkingDir)
	case s.Slice != "" && !validSlice(s.Slice):
		return fmt.Errorf("%w: slice %q: want a name that ends in .slice", errSpec, s.Slice)
	case s.OOMScoreAdj != nil && (*s.OOMScoreAdj < -1000 || *s.OOMScoreAdj > 1000):
		return fmt.Errorf("%w: OOM score adjustment %d: want -1000 to 1000", errSpec, *s.OOMScoreAdj)
	case s.KillSignal < 0 || s.KillSignal > 64: // SIGRTMAX
		return fmt.Errorf("%w: signal %d: want 1 to 64", errSpec, s.KillSignal)
	case s.StopTimeout < 0 || s.RestartSec < 0:
		return fmt.Errorf("%w: a duration is negative", errSpec)
	}
	for _, a := range append([]string{s.WorkingDir, s.User, s.Group, s.Description}, s.Exec...) {
		if !utf8.ValidString(a) || strings.ContainsRune(a, 0) {
			return fmt.Errorf("%w: %.64q: want UTF-8 without NUL", errSpec, a)
		}
	}
	return checkEnv(s.Env)
}

func validSlice(name string) bool {
	stem, ok := strings.CutSuffix(name, ".slice")
	return ok && stem != "" && len(name) <= nameMax && strings.IndexFunc(stem, invalid) < 0
}

// properties is the service as StartTransientUnit takes it.
func (s Spec) properties() []systemd.Property {
	var out []systemd.Property
	add := func(name string, value any) {
		out = append(out, systemd.Property{Name: name, Value: dbus.MakeVariant(value)})
	}
	texts := func(name, value string) {
		if value != "" {
			add(name, value)
		}
	}
	spans := func(name string, d time.Duration) {
		if d > 0 {
			add(name, uint64(d/time.Microsecond))
		}
	}
	add("Slice", orDefault(s.Slice, DefaultSlice))
	add("Type", orDefault(s.Type, "exec"))
	add("MemoryAccounting", true)
	out = append(out, limitProperties(s.Limits)...)
	texts("Description", s.Description)
	texts("WorkingDirectory", s.WorkingDir)
	texts("User", s.User)
	texts("Group", s.Group)
	texts("OOMPolicy", s.OOMPolicy)
	texts("Restart", s.Restart)
	spans("TimeoutStopUSec", s.StopTimeout)
	spans("RestartUSec", s.RestartSec)
	if s.KillSignal != 0 {
		add("KillSignal", int32(s.KillSignal))
	}
	if s.OOMScoreAdj != nil {
		add("OOMScoreAdjust", int32(*s.OOMScoreAdj))
	}
	if len(s.Env) > 0 {
		add("Environment", s.Env)
	}
	// Without the option systemd puts its own environment's values for $NAME and
	// ${NAME} into the arguments.
	add("ExecStartEx", []execStart{{Path: s.Exec[0], Args: s.Exec, Options: []string{"no-env-expand"}}})
	return out
}

// execStart is an element of ExecStartEx, a(sasas).
type execStart struct {
	Path    string
	Args    []string // from the name that the program is told it has
	Options []string
}

func orDefault(s, def string) string {
	if s == "" {
		return def
	}
	return s
}
