package main

import (
	"bufio"
	"fmt"
	"io"
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
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("which system is this: %w", err)
	}
	defer f.Close()
	fields := map[string]string{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if key, value, ok := strings.Cut(lines.Text(), "="); ok {
			fields[key] = strings.Trim(value, `"'`)
		}
	}
	if err := lines.Err(); err != nil {
		return "", fmt.Errorf("which system is this: read %s: %w", path, err)
	}
	if fields["ID"] != "debian" {
		return "", nil
	}
	return fields["VERSION_CODENAME"], nil
}

func sourceIn(path, codename, suite string) (string, error) {
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("open apt source: %w", err)
	}
	defer f.Close()
	parse := oneLineSource
	if strings.HasSuffix(path, ".sources") {
		parse = deb822Source
	}
	line, err := parse(f, codename, suite)
	if err != nil {
		return "", fmt.Errorf("read apt source %s: %w", path, err)
	}
	return line, nil
}

// oneLineSource finds "deb [options] URI codename main ..." and returns it for
// suite with component main.
func oneLineSource(r io.Reader, codename, suite string) (string, error) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		text, _, _ := strings.Cut(lines.Text(), "#")
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
			return fmt.Sprintf("deb %s%s %s main", options, fields[0], suite), nil
		}
	}
	return "", lines.Err()
}

// deb822Source does the same for a file of stanzas ("URIs: ...").
func deb822Source(r io.Reader, codename, suite string) (string, error) {
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
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		text := lines.Text()
		switch {
		case strings.HasPrefix(text, "#"):
		case strings.TrimSpace(text) == "":
			if line := found(); line != "" {
				return line, nil
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
	return found(), lines.Err()
}
