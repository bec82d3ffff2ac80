package main

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/memsup/memsup/internal/service"
)

var update = flag.Bool("update", false, "write testdata anew from what is printed")

// golden compares with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s:\n%s\nwant:\n%s", path, got, want)
	}
}

func TestPrinted(t *testing.T) {
	t.Setenv("MEMSUP_ADDRESS", "") // as help shows it
	m := &memsupd{services: fleet()}
	for i := range 31 {
		m.recent = append(m.recent, service.Point{At: ago(time.Duration(30-i) * 10 * time.Second), WorkingSet: uint64(200+i/2) * mib})
	}
	socket, _ := serve(t, m, "")
	for name, args := range map[string][]string{
		"status":            {"status", "--no-pager"},
		"status-running":    {"status", "cache-warmer"},
		"status-alerts":     {"status", "api-server"},
		"status-restarting": {"status", "pricing"},
		"status-gave-up":    {"status", "nlp-queue"},
		"status-no-limits":  {"status", "websocket"},
		"status-absent":     {"status", "thumbnailer"},
		"status-masked":     {"status", "reports"},
		"alerts":            {"alerts"},
		"help":              {"--help"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := ctl(t, socket, args...)
			if code != exitOK || errs != "" {
				t.Fatalf("exit code %d, errors %q", code, errs)
			}
			golden(t, name, out)
		})
	}
}
