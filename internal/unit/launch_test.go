package unit

import (
	"context"
	"errors"
	"testing"

	"github.com/memsup/memsup/internal/limit"
)

// The two drivers are used alike.
type driver interface {
	Watch(units ...string) (*Watch, error)
	State(ctx context.Context, unit string) (State, error)
	Launch(ctx context.Context, spec Spec) (Job, error)
	Start(ctx context.Context, unit string) (Job, error)
	Stop(ctx context.Context, unit string) (Job, error)
	Restart(ctx context.Context, unit string) (Job, error)
	SetLimits(ctx context.Context, unit string, l limit.Set, runtime bool) error
	Reapply(ctx context.Context, unit string) error
	Close() error
}

var _, _ driver = (*Systemd)(nil), (*Cgroupfs)(nil)

func TestSpecIsRefused(t *testing.T) {
	ok := Spec{Name: "a", Exec: []string{"/bin/true"}}
	if err := ok.validate(); err != nil {
		t.Errorf("the least there can be: %v", err)
	}
	adj := 1001
	for name, change := range map[string]func(*Spec){
		"no program":          func(s *Spec) { s.Exec = nil },
		"relative program":    func(s *Spec) { s.Exec = []string{"node"} },
		"NUL in an argument":  func(s *Spec) { s.Exec = append(s.Exec, "a\x00b") },
		"relative directory":  func(s *Spec) { s.WorkingDir = "srv" },
		"slice":               func(s *Spec) { s.Slice = "memsup" },
		"slice with a path":   func(s *Spec) { s.Slice = "a/b.slice" },
		"OOM score":           func(s *Spec) { s.OOMScoreAdj = &adj },
		"negative timeout":    func(s *Spec) { s.StopTimeout = -1 },
		"environment":         func(s *Spec) { s.Env = []string{"A"} },
		"environment name":    func(s *Spec) { s.Env = []string{"A B=c"} },
		"empty name":          func(s *Spec) { s.Env = []string{"=c"} },
		"digit first":         func(s *Spec) { s.Env = []string{"1A=c"} },
		"NUL in the value":    func(s *Spec) { s.Env = []string{"A=\x00"} },
		"latin-1 argument":    func(s *Spec) { s.Exec = append(s.Exec, "caf\xe9") },
		"latin-1 value":       func(s *Spec) { s.Env = []string{"A=caf\xe9"} },
		"NUL in directory":    func(s *Spec) { s.WorkingDir = "/\x00" },
		"NUL in user":         func(s *Spec) { s.User = "\x00" },
		"signal out of range": func(s *Spec) { s.KillSignal = 65 },
	} {
		s := ok
		s.Exec = append([]string(nil), ok.Exec...)
		change(&s)
		if err := s.validate(); !errors.Is(err, errSpec) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
