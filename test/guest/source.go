package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// aptSource returns the one-line apt source (sources.list(5)) of suite, taken
// from the machine's own source for its own Debian release, so that a mirror
// chosen for this machine serves the guest too. Empty where the machine is not
// Debian or has no such source: mmdebstrap then uses its own default.
//
// etc is the machine's /etc.
func aptSource(etc, suite string) (string, error) {
	codename, err := debianCodename(filepath.Join(etc, "os-release"))
	if err != nil || codename == "" {
		return "", err
	}
	// Debian's own files first: another vendor's may also say "bookworm main".
	paths := []string{
		filepath.Join(etc, "apt/sources.list"),
		filepath.Join(etc, "apt/sources.list.d/debian.sources"),
	}
	for _, pattern := range []string{"*.sources", "*.list"} {
		more, err := filepath.Glob(filepath.Join(etc, "apt/sources.list.d", pattern))
		if err != nil {
			return "", fmt.Errorf("list apt sources: %w", err)
		}
		paths = append(paths, more...)
	}
	for _, path := range paths {
		line, err := sourceIn(path, codename, suite)
		if err != nil || line != "" {
			return line, err
		}
	}
	return "", nil
}

// debianCodename reads os-release(5); empty when the machine is not Debian.
func debianCodename(path string) (string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("which system is this: %w", err)
	}
	fields := map[string]string{}
	for line := range strings.Lines(string(content)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			fields[key] = strings.Trim(value, `"'`)
		}
	}
	if fields["ID"] != "debian" {
		return "", nil
	}
	return fields["VERSION_CODENAME"], nil
}

func sourceIn(path, codename, suite string) (string, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read apt source: %w", err)
	}
	if strings.HasSuffix(path, ".sources") {
		return deb822Source(string(content), codename, suite), nil
	}
	return oneLineSource(string(content), codename, suite), nil
}

// oneLineSource finds "deb [options] URI codename main ..." and returns it for
// suite with component main.
func oneLineSource(content, codename, suite string) string {
	for line := range strings.Lines(content) {
		text, _, _ := strings.Cut(line, "#")
		text = strings.TrimSpace(text)
		rest, ok := strings.CutPrefix(text, "deb ")
		if !ok {
			continue
		}
		options := ""
		if rest = strings.TrimSpace(rest); strings.HasPrefix(rest, "[") {
			inside, after, ok := strings.Cut(rest, "]")
			if !ok {
				continue
			}
			options, rest = inside+"] ", after
		}
		fields := strings.Fields(rest)
		if len(fields) >= 3 && fields[1] == codename && slices.Contains(fields[2:], "main") {
			return fmt.Sprintf("deb %s%s %s main", options, fields[0], suite)
		}
	}
	return ""
}

// deb822Source does the same for a file of stanzas ("URIs: ...").
func deb822Source(content, codename, suite string) string {
	stanza := map[string][]string{}
	found := func() string {
		if slices.Contains(stanza["enabled"], "no") || !slices.Contains(stanza["types"], "deb") ||
			!slices.Contains(stanza["suites"], codename) || !slices.Contains(stanza["components"], "main") ||
			len(stanza["uris"]) == 0 {
			return ""
		}
		options := ""
		// A key may also be written out in place; only a path fits one line.
		if key := stanza["signed-by"]; len(key) == 1 && strings.HasPrefix(key[0], "/") {
			options = "[signed-by=" + key[0] + "] "
		}
		return fmt.Sprintf("deb %s%s %s main", options, stanza["uris"][0], suite)
	}
	key := ""
	for text := range strings.Lines(content) {
		switch {
		case strings.HasPrefix(text, "#"):
		case strings.TrimSpace(text) == "":
			if line := found(); line != "" {
				return line
			}
			clear(stanza)
		case strings.HasPrefix(text, " ") || strings.HasPrefix(text, "\t"):
			stanza[key] = append(stanza[key], strings.Fields(text)...)
		default:
			name, value, _ := strings.Cut(text, ":")
			key = strings.ToLower(name)
			stanza[key] = strings.Fields(value)
		}
	}
	return found()
}
