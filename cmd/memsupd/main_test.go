package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestExitCodes(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := file("good.yaml", "services:\n  api:\n    unit: api.service\n")
	bad := file("bad.yaml", "services:\n  api:\n    unti: api.service\n")
	for _, tc := range []struct {
		name string
		args []string
		code int
		out  string // in standard output
		errs string // in standard error
	}{
		{"good", []string{"--check-config", "--config", good}, 0, "1 service", ""},
		{"shipped", []string{"--check-config", "--config", "../../contrib/memsupd.yaml"}, 0, "5 services", ""},
		{"bad key", []string{"--check-config", "--config", bad}, exitConfig, "", `bad.yaml:3:5: unknown key "unti" in service api: did you mean "unit"?`},
		{"bad key at start", []string{"--config", bad}, exitConfig, "", "bad.yaml:3:5"},
		{"no file", []string{"--check-config", "--config", filepath.Join(dir, "none.yaml")}, exitConfig, "", "no such file"},
		{"unknown flag", []string{"--chek-config"}, exitUsage, "", "unknown flag"},
		{"argument", []string{"start"}, exitUsage, "", "start"},
		{"version", []string{"--version"}, 0, version, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			if code := run(tc.args, &out, &errs); code != tc.code {
				t.Errorf("exit code %d, want %d", code, tc.code)
			}
			if !strings.Contains(out.String(), tc.out) || tc.out == "" && out.Len() > 0 {
				t.Errorf("standard output: %q", out.String())
			}
			if !strings.Contains(errs.String(), tc.errs) || tc.errs == "" && errs.Len() > 0 {
				t.Errorf("standard error: %q", errs.String())
			}
		})
	}
}
