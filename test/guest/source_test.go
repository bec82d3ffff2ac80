package main

import (
	"os"
	"path/filepath"
	"testing"
)

const debian12 = "ID=debian\nVERSION_CODENAME=bookworm\n"

func TestAptSource(t *testing.T) {
	for _, test := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"stanzas", map[string]string{
			"os-release": debian12,
			"apt/sources.list.d/debian.sources": "Types: deb\n# a comment\nURIs: http://mirror.test/debian\n" +
				"Suites: bookworm bookworm-updates\nComponents: main contrib\nSigned-By: /usr/share/keyrings/d.gpg\n\n" +
				"Types: deb\nURIs: http://mirror.test/security\nSuites: bookworm-security\nComponents: main\n",
		}, "deb [signed-by=/usr/share/keyrings/d.gpg] http://mirror.test/debian trixie main"},
		{"security first", map[string]string{
			"os-release": debian12,
			"apt/sources.list.d/debian.sources": "Types: deb\nURIs: http://mirror.test/security\nSuites: bookworm-security\nComponents: main\n\n" +
				"Types: deb-src deb\nURIs:\n http://mirror.test/debian\nSuites: bookworm\nComponents: main\n",
		}, "deb http://mirror.test/debian trixie main"},
		{"disabled, sources only", map[string]string{
			"os-release": debian12,
			"apt/sources.list.d/debian.sources": "Enabled: no\nTypes: deb\nURIs: http://a.test\nSuites: bookworm\nComponents: main\n\n" +
				"Types: deb-src\nURIs: http://b.test\nSuites: bookworm\nComponents: main\n",
		}, ""},
		{"key written out", map[string]string{
			"os-release": debian12,
			"apt/sources.list.d/x.sources": "Types: deb\nURIs: http://a.test\nSuites: bookworm\nComponents: main\n" +
				"Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n",
		}, "deb http://a.test trixie main"},
		{"one line", map[string]string{
			"os-release": "ID=\"debian\"\nVERSION_CODENAME=\"bookworm\"\n",
			"apt/sources.list": "# deb http://old.test bookworm main\ndeb-src http://src.test bookworm main\n" +
				"deb [arch=amd64 signed-by=/k.gpg] http://mirror.test/debian bookworm main contrib # ours\n",
		}, "deb [arch=amd64 signed-by=/k.gpg] http://mirror.test/debian trixie main"},
		{"another vendor", map[string]string{
			"os-release":                        debian12,
			"apt/sources.list.d/a-vendor.list":  "deb http://vendor.test bookworm main\n",
			"apt/sources.list.d/debian.sources": "Types: deb\nURIs: http://mirror.test/debian\nSuites: bookworm\nComponents: main\n",
		}, "deb http://mirror.test/debian trixie main"},
		{"malformed", map[string]string{
			"os-release":       debian12,
			"apt/sources.list": "deb [arch=amd64 http://a.test bookworm main\ndeb\ndeb http://a.test\n",
		}, ""},
		{"not Debian", map[string]string{
			"os-release":       "ID=ubuntu\nVERSION_CODENAME=noble\n",
			"apt/sources.list": "deb http://a.test noble main\n",
		}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			etc := t.TempDir()
			for name, content := range test.files {
				path := filepath.Join(etc, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			got, err := aptSource(etc, "trixie")
			if err != nil {
				t.Fatal(err)
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
