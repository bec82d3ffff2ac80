package main

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

func TestRecipeHash(t *testing.T) {
	files := func(name, content string) fs.FS {
		return fstest.MapFS{"recipe/a": {Data: []byte("1")}, name: {Data: []byte(content)}}
	}
	seen := map[string]string{}
	for _, test := range []struct {
		files       fs.FS
		suite, arch string
	}{
		{files("recipe/b", "2"), "trixie", "amd64"},
		{files("recipe/b", "3"), "trixie", "amd64"},
		{files("recipe/c", "2"), "trixie", "amd64"},
		{files("recipe/b", "2"), "bookworm", "amd64"},
		{files("recipe/b", "2"), "trixie", "arm64"},
	} {
		hash, err := recipeHash(test.files, test.suite, test.arch)
		if err != nil {
			t.Fatal(err)
		}
		again, err := recipeHash(test.files, test.suite, test.arch)
		if err != nil || again != hash {
			t.Errorf("hash twice: %s, then %s, %v", hash, again, err)
		}
		what := fmt.Sprint(test)
		if other, ok := seen[hash]; ok {
			t.Errorf("%s and %s have the same hash", what, other)
		}
		seen[hash] = what
	}
}

// What the scripts and the Go side agree on without a compiler's help.
func TestRecipeAgrees(t *testing.T) {
	for name, wants := range map[string][]string{
		"root/usr/lib/guest/run":    {fmt.Sprintf("$((%d + i))", firstPort)},
		"root/usr/lib/guest/finish": {fmt.Sprintf("bs=%dK seek=1", filesOffset>>10), fmt.Sprintf("bs=%d conv=sync", headerSize), "'memsup-guest 1\\n"},
		"init":                      {probeLine, "guest.probe"},
	} {
		content, err := recipeFiles.ReadFile("recipe/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range wants {
			if !strings.Contains(string(content), want) {
				t.Errorf("%s has no %q", name, want)
			}
		}
	}
}
