package unit

import (
	"fmt"
	"strings"
)

// checkEnv refuses assignments that the receiver would read differently.
func checkEnv(env []string) error {
	for _, kv := range env {
		name, _, ok := strings.Cut(kv, "=")
		if !ok || !envName(name) || strings.ContainsRune(kv, 0) {
			return fmt.Errorf("%w: environment %.64q: want NAME=value", errSpec, kv)
		}
	}
	return nil
}

// envName reports whether s is a name in the sense of environ(7): a letter or
// an underscore, then letters, digits and underscores.
func envName(s string) bool {
	for i, r := range s {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}
