package unit

import (
	"errors"
	"strings"
	"testing"
)

func TestName(t *testing.T) {
	for in, want := range map[string]string{
		"api": "api.service", "api.service": "api.service", "walmart-api_server.2": "walmart-api_server.2.service",
		"worker@3": "worker@3.service", `a\x2db:c`: `a\x2db:c.service`, "service": "service.service",
		strings.Repeat("a", 247): strings.Repeat("a", 247) + ".service",
	} {
		if got, err := Name(in); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", ".service", "a/b", "../a", "/etc/a.service", "a*", "a?", "[ab]", "a b", "a\x00b", "a\nb", "ä", "@a", "a@",
		"a@.service", "a.slice", "a.slice.service", "a.socket", "a%n", "a;b", "-é", "a\xffb", strings.Repeat("a", 248),
	} {
		if got, err := Name(in); !errors.Is(err, ErrName) || got != "" {
			t.Errorf("%q: %q, %v; want %v", in, got, err, ErrName)
		}
	}
}

func FuzzName(f *testing.F) {
	for _, s := range []string{"api", "api.service", "a@b", "@", ".service.service", "a/b", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, err := Name(s)
		if err != nil {
			return
		}
		if again, err := Name(name); err != nil || again != name {
			t.Fatalf("%q = %q, which is %q, %v", s, name, again, err)
		}
		if len(name) > nameMax || strings.ContainsAny(name, "/\x00*?[ \n") || !strings.HasSuffix(name, ".service") {
			t.Fatalf("%q = %q", s, name)
		}
		if p := unitPath(name); !p.IsValid() {
			t.Fatalf("%q has the path %q", name, p)
		}
	})
}
