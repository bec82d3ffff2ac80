package main

import (
	"errors"
	"strings"
	"testing"
)

// padded is a header as dd conv=sync writes it.
func padded(s string) []byte {
	return append([]byte(s), make([]byte, headerSize-len(s))...)
}

func TestParseResult(t *testing.T) {
	for _, test := range []struct {
		header string
		want   result
	}{
		{"memsup-guest 1\noutcome exited 0\nfiles none\nend\n", result{}},
		{"memsup-guest 1\noutcome exited 255\nfiles tar\nend\n", result{code: 255, files: true}},
	} {
		got, err := parseResult(padded(test.header))
		if err != nil || got != test.want {
			t.Errorf("%q: %+v, %v", test.header, got, err)
		}
	}
}

func TestParseResultRefuses(t *testing.T) {
	if _, err := parseResult(padded("")); !errors.Is(err, errNoResult) {
		t.Errorf("blank header: %v, want %v", err, errNoResult)
	}
	for header, want := range map[string]string{
		"memsup-guest 1\noutcome lost oom-kill\nfiles none\nend\n":    "oom-kill",
		"memsup-guest 1\noutcome exited 0\nfiles failed\nend\n":       "did not fit",
		"memsup-guest 1\noutcome exited 256\nfiles none\nend\n":       "exit code",
		"memsup-guest 1\noutcome exited -1\nfiles none\nend\n":        "exit code",
		"memsup-guest 1\noutcome exited \nfiles none\nend\n":          "outcome",
		"memsup-guest 1\noutcome exited 0\nfiles some\nend\n":         "files",
		"memsup-guest 2\noutcome exited 0\nfiles none\nend\n":         "form",
		"memsup-guest 1\noutcome exited 0\nfiles none\nend":           "form",
		"memsup-guest 1\noutcome exited 0\nfiles none\n":              "form",
		"memsup-guest 1\noutcome exited 0\nfiles none\nend\ntrailing": "form",
	} {
		if _, err := parseResult(padded(header)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", header, err, want)
		}
	}
}

func FuzzParseResult(f *testing.F) {
	f.Add(padded("memsup-guest 1\noutcome exited 3\nfiles tar\nend\n"))
	f.Add(padded("memsup-guest 1\noutcome lost signal\nfiles none\nend\n"))
	f.Fuzz(func(t *testing.T, header []byte) {
		got, err := parseResult(header)
		if err == nil && (got.code < 0 || got.code > 255) {
			t.Errorf("exit code %d", got.code)
		}
	})
}
