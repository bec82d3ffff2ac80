package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/memsup/memsup/internal/limit"
	"github.com/memsup/memsup/internal/service"
	"github.com/memsup/memsup/internal/unit"
)

func one(content string) []File { return []File{{Name: "memsupd.yaml", Content: []byte(content)}} }

func TestShippedConfiguration(t *testing.T) {
	c, err := Load("../../contrib/memsupd.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Services) != 5 || c.Listen != "127.0.0.1:3007" {
		t.Fatalf("got %+v", c)
	}
	want := service.Spec{
		Name: "cache-warmer", Driver: service.Systemd, Unit: "walmart-cache-warmer.service",
		Watermarks: service.DefaultWatermarks, Interval: 10 * time.Second, Restart: service.DefaultRestart,
	}
	if diff := cmp.Diff(want, c.Services[0], cmp.AllowUnexported(limit.Value{})); diff != "" {
		t.Error(diff)
	}
}

// The shipped file is the documentation: it names every key, and what it shows
// commented out is right.
func TestShippedConfigurationNamesEveryKey(t *testing.T) {
	b, err := os.ReadFile("../../contrib/memsupd.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const odd = "zzzzzzzzzzzzzzzzzzzz" // like no key, so that all are offered
	for _, in := range []string{odd + ": 1", "defaults: {" + odd + ": 1}", "services: {a: {" + odd + ": 1}}", "services: {a: {limits: {" + odd + ": 1}}}", "services: {a: {launch: {" + odd + ": 1}}}"} {
		_, err := Parse(one(in))
		var errs Errors
		if !errors.As(err, &errs) {
			t.Fatalf("%s: %v", in, err)
		}
		list, ok := strings.CutPrefix(errs[0].Want, "want one of ")
		if !ok {
			t.Fatalf("%s: %v", in, err)
		}
		for key := range strings.SplitSeq(list, ", ") {
			if !regexp.MustCompile(`(?m)(^|[ {#])` + key + `:( |$)`).Match(b) {
				t.Errorf("%s: key %s is not in contrib/memsupd.yaml", in, key)
			}
		}
	}
	c, err := Parse([]File{{Name: "shown", Content: regexp.MustCompile(`(?m)^#  `).ReplaceAll(b, []byte("  "))}})
	if err != nil {
		t.Fatal(err)
	}
	if last := c.Services[len(c.Services)-1]; last.Name != "thumbnailer" || last.Launch == nil || last.Launch.User != "www-data" {
		t.Errorf("got %+v", last)
	}
}

func TestLaterFilesOverrideKeyByKey(t *testing.T) {
	c, err := Parse([]File{
		{Name: "a", Content: []byte("services:\n  api:\n    unit: walmart-api\n    maxRestarts: 5\n    restartCooldown: 300000\n")},
		{Name: "b", Content: []byte("defaults: {interval: 1s}\nservices:\n  api:\n    maxRestarts: 7\n  new: {}\n")},
		{Name: "c", Content: []byte("# nothing\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	api, fresh := c.Services[0], c.Services[1]
	if api.Unit != "walmart-api.service" || api.Restart.MaxRestarts != 7 || api.Restart.Cooldown != 5*time.Minute || api.Interval != time.Second {
		t.Errorf("api: %+v", api)
	}
	if fresh.Unit != "new.service" || fresh.Interval != time.Second {
		t.Errorf("new: %+v", fresh)
	}
}

func TestLaunch(t *testing.T) {
	c, err := Parse(one(`
services:
  warmer:
    mode: launch
    limits: {max: 256M, high: 200M, low: 64M, swapMax: 0}
    launch:
      exec: [/usr/bin/node, main.js]
      environment: {PORT: "80", X: 1}
      stopTimeout: 30s
`))
	if err != nil {
		t.Fatal(err)
	}
	s := c.Services[0]
	if s.Unit != "memsup-warmer.service" || s.Launch == nil || s.Limits.SwapMax != limit.Bytes(0) || s.Limits.Min != limit.Absent {
		t.Errorf("got %+v", s)
	}
	if diff := cmp.Diff(&service.Launch{Exec: []string{"/usr/bin/node", "main.js"}, Environment: []string{"PORT=80", "X=1"}, StopTimeout: 30 * time.Second}, s.Launch); diff != "" {
		t.Error(diff)
	}
}

// The messages are what a person reads: each says where, what was found and what
// was expected.
func TestMistakes(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"services:\n  api:\n    warningTreshold: 0.5", `memsupd.yaml:3:5: unknown key "warningTreshold" in service api: did you mean "warningThreshold"?`},
		{"servces: {}", `memsupd.yaml:1:1: unknown key "servces" in the configuration: did you mean "services"?`},
		{"colour: red", `memsupd.yaml:1:1: unknown key "colour" in the configuration: want one of defaults, listen, logLevel, services, socket, stateDir`},
		{"services:\n  api:\n    interval: 100ms", `memsupd.yaml:3:15: "100ms": want a time from 1s to 1m0s, such as 90s or 5m, or milliseconds without a unit`},
		{"services:\n  api:\n    maxRestarts: -1", `memsupd.yaml:3:18: "-1": want a whole number from 0 to 1000`},
		{"services:\n  api:\n    restartOnOOM: perhaps", `memsupd.yaml:3:19: "perhaps": want true or false`},
		{"services:\n  api:\n    warningThreshold: 78", `memsupd.yaml:3:23: "78": want a fraction of MemoryMax above 0 and at most 1, such as 0.85`},
		{"services:\n  api:\n    warningThreshold: 0.9", `memsupd.yaml:3:23: api: warning at 0.9, critical at 0.85: want warningThreshold below criticalThreshold`},
		{"services:\n  API: {}", `memsupd.yaml:2:3: service name "API": want 1 to 64 of a-z, 0-9 and '-', not beginning with '-'`},
		{"services:\n  a: {unit: x}\n  b: {unit: x.service}", `memsupd.yaml:3:13: x.service is the unit of a already: want one service a unit`},
		{"services:\n  a: {unit: ../x}", `memsupd.yaml:2:13: "../x": want the name of one service unit, such as walmart-pricing.service`},
		{"services:\n  a: {unit: 'x*'}", `memsupd.yaml:2:13: "x*": want the name of one service unit, such as walmart-pricing.service`},
		{"services:\n  a:\n    unit: x\n    unit: y", `memsupd.yaml:4:5: key "unit" is there twice in service a`},
		{"services:\n  a:\n    limits: {max: 1G}", `memsupd.yaml:3:13: a: limits of an adopted unit: put them into the unit: systemctl edit a`},
		{"services:\n  a:\n    mode: launch", `memsupd.yaml:3:11: a: nothing to launch: want launch.exec: [/path/to/program, argument]`},
		{"services:\n  a:\n    mode: launch\n    launch: {exec: [node]}", `memsupd.yaml:4:21: "node": want a list: an absolute path, then arguments`},
		{"services:\n  a:\n    mode: launch\n    launch: {exec: [/n]}\n    limits: {max: 1G, high: 2G}", `memsupd.yaml:5:29: a: high is 2G, max is 1G: want high at most max`},
		{"services:\n  a:\n    mode: launch\n    launch: {exec: [/n]}\n    limits: {max: lots}", `memsupd.yaml:5:19: "lots": want a size such as 512M, 1.5G or "max"`},
		{"listen: 0.0.0.0:3007", `memsupd.yaml:1:9: "0.0.0.0:3007": want a loopback address with a port, such as 127.0.0.1:3007, or "" for none: whoever can reach another one could read of your services`},
		{"services: [a]", `memsupd.yaml:1:11: services is a list: want keys and values`},
		{"services: &x {}\nlisten: *x", `memsupd.yaml:1:11: services is an anchor or alias, which are not read here: want keys and values`},
		{"services:\n  a: {unit: a.socket.service}", `memsupd.yaml:2:13: "a.socket.service": want the name of one service unit, such as walmart-pricing.service`},
		{"services:\n  a: {unit: '@a'}", `memsupd.yaml:2:13: "@a": want the name of one service unit, such as walmart-pricing.service`},
		{"services:\n  a:\n    mode: launch\n    launch: {exec: [/n], environment: {A-B: 1}}", `memsupd.yaml:4:40: environment variable "A-B": want a name of letters, digits and '_', not beginning with a digit`},
		{"services:\n  a:\n    mode: launch\n    launch: {exec: [/n]}\n    limits: {max: 0}", `memsupd.yaml:5:19: a: max is 0, with which nothing runs: want a size, or "max" for no limit`},
		{"services:\n  a:\n    mode: launch\n    launch: {exec: [/n, \"a\\0b\"]}", `memsupd.yaml:4:25: "a\x00b": want a list: an absolute path, then arguments`},
		{"listen: 127.0.0.1:70000", `memsupd.yaml:1:9: "127.0.0.1:70000": want a loopback address with a port, such as 127.0.0.1:3007, or "" for none: whoever can reach another one could read of your services`},
		{"listen: x\n# caf\xe9\n", `memsupd.yaml:2:6: not YAML: bytes that are no text: want UTF-8`},
		{"listen: x\n\x00", `memsupd.yaml:2:1: not YAML: bytes that are no text: want UTF-8`},
		{"services:\n\ta: {}", "memsupd.yaml:2:1: not YAML: found character '\t' that cannot start any token"},
		{"- a", `memsupd.yaml:1:1: the configuration is a list: want keys and values`},
		{"a: b: c", `memsupd.yaml:1:4: not YAML: mapping value is not allowed in this context`},
		{"a: 1\n---\nb: 2", `memsupd.yaml:3:1: a second document: want one document a file`},
	} {
		c, err := Parse(one(tc.in))
		var errs Errors
		if !errors.As(err, &errs) {
			t.Errorf("%q was accepted: %+v", tc.in, c)
			continue
		}
		if got := errs[0].Error(); got != tc.want {
			t.Errorf("%q\n got %s\nwant %s", tc.in, got, tc.want)
		}
	}
}

func TestAllMistakesAreToldAtOnce(t *testing.T) {
	_, err := Parse(one("listen: x\ndefaults: {interval: 1h, x: 1}\nservices:\n  a: {maxRestarts: x}\n  b: {mode: y}\n"))
	var errs Errors
	if !errors.As(err, &errs) || len(errs) != 5 {
		t.Fatalf("got %v", err)
	}
	_, err = Parse(one(strings.Repeat("- a\n", 1) + strings.Repeat("x", 10)))
	if err == nil {
		t.Error("accepted")
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "memsupd.yaml")
	if _, err := Load(path); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("missing: %v", err)
	}
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("memsupd.yaml", "services: {a: {maxRestarts: 1}}")
	if err := os.Mkdir(filepath.Join(dir, "memsupd.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	write("memsupd.d/20.yaml", "services: {a: {maxRestarts: 3}}")
	write("memsupd.d/10.yaml", "services: {a: {maxRestarts: 2}}")
	write("memsupd.d/30.bak", "no")
	write("memsupd.d/.#20.yaml", "no")
	c, err := Load(path)
	if err != nil || c.Services[0].Restart.MaxRestarts != 3 {
		t.Errorf("got %+v, %v", c, err)
	}
	// A directory whose name a shell would expand is read like any other.
	odd := filepath.Join(dir, "etc[1]")
	if err := os.MkdirAll(filepath.Join(odd, "memsupd.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	write("etc[1]/memsupd.yaml", "services: {a: {maxRestarts: 1}}")
	write("etc[1]/memsupd.d/10.yaml", "services: {a: {maxRestarts: 2}}")
	if c, err := Load(filepath.Join(odd, "memsupd.yaml")); err != nil || c.Services[0].Restart.MaxRestarts != 2 {
		t.Errorf("%s: %+v, %v", odd, c, err)
	}
	// Drop-ins that cannot be listed are no reason to go on without them.
	if err := errors.Join(os.RemoveAll(filepath.Join(odd, "memsupd.d")), os.WriteFile(filepath.Join(odd, "memsupd.d"), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(filepath.Join(odd, "memsupd.yaml")); err == nil || !strings.Contains(err.Error(), "memsupd.d") {
		t.Errorf("drop-ins that are no directory: %v", err)
	}
	write("memsupd.yaml", strings.Repeat("# long\n", maxSize/6))
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "at most 1 MiB") {
		t.Errorf("too large: %v", err)
	}
	if _, err := Load(dir); err == nil {
		t.Error("a directory was read")
	}
}

// What is accepted here is accepted where the unit is asked for.
func FuzzUnitName(f *testing.F) {
	for _, s := range []string{"api", "api.service", "a@b", "@a", "a@", ".a", "a.slice.service", "a.b", `a\x2db`, ".service"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if name, ok := unitName(s); ok {
			if same, err := unit.Name(name); err != nil || same != name {
				t.Fatalf("%q: %q, which package unit reads as %q, %v", s, name, same, err)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	shipped, err := os.ReadFile("../../contrib/memsupd.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(shipped))
	f.Add("services: {a: {mode: launch, launch: {exec: [/a, b], environment: {A: b}}, limits: {max: 1G}}}")
	f.Add("services: &a {b: *a}")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := Parse(one(s))
		if err == nil {
			for _, spec := range c.Services {
				if service.CheckName(spec.Name) != nil || spec.Interval < time.Second || spec.Watermarks.Warning >= spec.Watermarks.Critical {
					t.Fatalf("%q gave %+v", s, spec)
				}
			}
			return
		}
		var errs Errors
		if !errors.As(err, &errs) || len(errs) == 0 || len(errs) > maxErrors {
			t.Fatalf("%q: %v", s, err)
		}
		for _, e := range errs {
			if e.Line < 1 || e.Column < 1 || e.Problem == "" {
				t.Fatalf("%q: no place or problem in %+v", s, e)
			}
		}
	})
}

// A name is what was written, not the number that it could be read as.
func TestNamesAreAsWritten(t *testing.T) {
	c, err := Parse(one("services: {010: {}, 1e3: {}, 0x1f: {}, null: {}, true: {mode: launch, launch: {exec: [/n], environment: {True: 010}}}}"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range c.Services {
		names = append(names, s.Name)
	}
	if diff := cmp.Diff([]string{"010", "1e3", "0x1f", "null", "true"}, names); diff != "" {
		t.Error(diff)
	}
	if env := c.Services[4].Launch.Environment; len(env) != 1 || env[0] != "True=010" {
		t.Errorf("environment %q", env)
	}
}

// What a file may hold that is no mistake, and what must not end the process.
func TestOddFiles(t *testing.T) {
	for name, in := range map[string]string{
		"byte order mark": "\ufeffservices: {a: {maxRestarts: 7}}",
		"CRLF":            "services:\r\n  a:\r\n    maxRestarts: 7\r\n    unit: \"a.service\"\r\n",
		"comments":        "# one\nservices: # two\n  a: # three\n    maxRestarts: 7 # four\n",
		"empty parts":     "defaults:\nservices:\n  a:\n    maxRestarts: 7\n",
	} {
		c, err := Parse(one(in))
		if err != nil || len(c.Services) != 1 || c.Services[0].Restart.MaxRestarts != 7 || c.Services[0].Unit != "a.service" {
			t.Errorf("%s: %+v, %v", name, c.Services, err)
		}
	}
}

// The parser calls itself for each level, and a stack that overflows ends the process;
// a file is refused before that.
func TestFilesThatWouldExhaustTheParserAreRefused(t *testing.T) {
	const size = 64 << 10
	for _, unit := range []string{"[", "{", "- ", "? ", "[{", "{a: ", "!!a ", "&a ", "!!a\n", "&a\n", "- ? ", "a: - ", "- a: ", "!!seq [", "&a [", "- &a ", "a:\n"} {
		_, err := Parse(one("a: " + strings.Repeat(unit, size/len(unit))))
		var errs Errors
		if !errors.As(err, &errs) {
			t.Errorf("%q again and again was accepted", unit)
		}
		_, err = Parse(one(strings.Repeat(unit, size/len(unit))))
		if err == nil || !strings.Contains(err.Error(), "not a configuration: ") {
			t.Errorf("%q again and again: %.200v", unit, err)
		}
	}
}

// As many services as there may be are read.
func TestManyServices(t *testing.T) {
	var b strings.Builder
	b.WriteString("services:\n")
	for i := range maxServices + 1 {
		fmt.Fprintf(&b, "  service-%d:\n    warningThreshold: 0.7\n    criticalThreshold: 0.8\n    maxRestarts: 3\n    interval: 5s\n", i)
		if i == maxServices-1 {
			if c, err := Parse(one(b.String())); err != nil || len(c.Services) != maxServices {
				t.Errorf("%d services, %v", len(c.Services), err)
			}
		}
	}
	if _, err := Parse(one(b.String())); err == nil || !strings.Contains(err.Error(), "1001 services: want at most 1000") {
		t.Errorf("one more: %v", err)
	}
}
