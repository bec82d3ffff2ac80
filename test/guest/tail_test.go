package main

import (
	"io"
	"strings"
	"testing"
)

func TestTail(t *testing.T) {
	kept := newTail(8)
	for _, part := range []string{"first\r\n", "second", " third\r\n"} {
		if _, err := io.WriteString(kept, part); err != nil {
			t.Fatal(err)
		}
	}
	if got := kept.String(); got != "third" {
		t.Errorf("kept %q, want %q", got, "third")
	}
	if _, err := io.WriteString(kept, strings.Repeat("x", 100)+"12345678"); err != nil {
		t.Fatal(err)
	}
	if got := kept.String(); got != "12345678" {
		t.Errorf("kept %q, want %q", got, "12345678")
	}
}

func TestEscapeReader(t *testing.T) {
	escaped := false
	r := &escapeReader{from: strings.NewReader("ls\r\x1drm -rf /"), escaped: func() { escaped = true }}
	got, err := io.ReadAll(r)
	if err != nil || string(got) != "ls\r" || !escaped {
		t.Errorf("read %q, %v, escaped %v", got, err, escaped)
	}
}
