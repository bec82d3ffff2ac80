package unit

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// private are the variables that speak of the daemon itself and would make a
// child act in its name: the service manager's socket, watchdog and sockets
// (sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3)), its unit's
// identity and pressure file (systemd.exec(5)) and its Go runtime's limits.
var private = map[string]bool{
	"NOTIFY_SOCKET": true, "MAINPID": true, "MANAGERPID": true, "MANAGERPIDFDID": true, "SYSTEMD_EXEC_PID": true,
	"INVOCATION_ID": true, "JOURNAL_STREAM": true, "FDSTORE": true, "CREDENTIALS_DIRECTORY": true,
	"RUNTIME_DIRECTORY": true, "STATE_DIRECTORY": true, "CACHE_DIRECTORY": true, "LOGS_DIRECTORY": true, "CONFIGURATION_DIRECTORY": true,
	"GOMEMLIMIT": true, "GOGC": true, "GOMAXPROCS": true, "GODEBUG": true, "GOTRACEBACK": true,
}

// privatePrefixes are families of such variables.
var privatePrefixes = []string{"WATCHDOG_", "LISTEN_", "MEMORY_PRESSURE_", "MEMSUP_", "TRIGGER_", "MONITOR_"}

// childEnv is what a process started by the cgroupfs driver finds: the daemon's
// environment without what is private to it, its own invocation ID, and then
// own, of which the last assignment of a name wins.
func childEnv(daemon []string, invocation string, own []string) []string {
	var out []string
	at := map[string]int{}
	set := func(kv string) {
		name, _, _ := strings.Cut(kv, "=")
		if i, ok := at[name]; ok {
			out[i] = kv
			return
		}
		at[name] = len(out)
		out = append(out, kv)
	}
	for _, kv := range daemon {
		if name, _, ok := strings.Cut(kv, "="); ok && name != "" && !isPrivate(name) {
			set(kv)
		}
	}
	set("INVOCATION_ID=" + invocation)
	for _, kv := range own {
		set(kv)
	}
	return out
}

func isPrivate(name string) bool {
	for _, p := range privatePrefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return private[name]
}

// checkEnv refuses assignments that the receiver would read differently.
func checkEnv(env []string) error {
	for _, kv := range env {
		name, _, ok := strings.Cut(kv, "=")
		if !ok || !envName(name) || !utf8.ValidString(kv) || strings.ContainsRune(kv, 0) {
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
