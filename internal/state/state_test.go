package state

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/memsup/memsup/internal/engine"
	"github.com/memsup/memsup/internal/service"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var at = service.Instant{Wall: time.Unix(1_700_000_000, 0), Boot: time.Hour}

func sample() *engine.State {
	s := engine.New()
	s.Configure([]service.Spec{{Name: "api"}})
	s.Services["api"].Incarnation = "abc"
	return s
}

func TestRoundTrip(t *testing.T) {
	dir := t.TempDir()
	w, err := NewWriter(dir, "boot-1")
	if err != nil {
		t.Fatal(err)
	}
	ticket, err := w.Put(at, sample())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Durable(context.Background(), ticket); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got.BootID != "boot-1" || got.At.Boot != time.Hour || got.Engine.Services["api"].Incarnation != "abc" {
		t.Errorf("got %+v", got)
	}
}

func TestNoFileIsAnEmptyState(t *testing.T) {
	got, err := Load(t.TempDir())
	if err != nil || len(got.Engine.Services) != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestUnusableFileIsSetAsideAndKept(t *testing.T) {
	for title, content := range map[string]string{
		"truncated":     `{"version":1,"engine":{"serv`,
		"newer":         `{"version":99,"engine":{"services":{}}}`,
		"empty":         ``,
		"no services":   `{"version":1,"engine":{}}`,
		"null service":  `{"version":1,"engine":{"version":1,"services":{"api":null}}}`,
		"null alert":    `{"version":1,"engine":{"version":1,"services":{"api":{"alerts":{"firing":{"x":null}}}}}}`,
		"hostile name":  `{"version":1,"engine":{"version":1,"services":{"../x":{}}}}`,
		"another shape": `[1,2]`,
	} {
		t.Run(title, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := Load(dir)
			var aside *SetAside
			if !errors.As(err, &aside) || got == nil || len(got.Engine.Services) != 0 {
				t.Fatalf("got %+v, %v", got, err)
			}
			kept, err := os.ReadFile(aside.Path)
			if err != nil || string(kept) != content {
				t.Errorf("kept %q, %v", kept, err)
			}
			if !strings.Contains(aside.Error(), aside.Path) {
				t.Errorf("the name is missing in %q", aside)
			}
		})
	}
}

func TestFailedWriteIsToldAndHealsItself(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	w := &Writer{dir: dir, changed: make(chan struct{}), wake: make(chan struct{}, 1)}
	ticket, err := w.Put(at, sample())
	if err != nil {
		t.Fatal(err)
	}
	if w.write() || w.Err() == nil {
		t.Fatal("a write into a missing directory succeeded")
	}
	if err := w.Durable(context.Background(), ticket); err == nil {
		t.Error("Durable hid the failure")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if !w.write() || w.Err() != nil {
		t.Errorf("still failing: %v", w.Err())
	}
	if err := w.Durable(context.Background(), ticket); err != nil {
		t.Error(err)
	}
}

func TestTemporaryFilesAreSwept(t *testing.T) {
	dir := t.TempDir()
	left := filepath.Join(dir, "."+name+".123")
	if err := os.WriteFile(left, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := NewWriter(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Error("left:", err)
	}
}
