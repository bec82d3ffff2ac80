package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const recordingHeader = "time_s,memory_current,anon,file,kernel,swap,procs\n"

// record writes a recording of a service, a sample every ten seconds, whose private
// memory is anon(minute) MiB, and returns its path.
func record(t *testing.T, minutes int, anon func(minute float64) float64) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(recordingHeader)
	for s := 0; s < minutes*60; s += 10 {
		a := int(anon(float64(s)/60) * mib)
		fmt.Fprintf(&b, "%d,%d,%d,%d,%d,0,1\n", s, a+24*mib, a, 20*mib, 4*mib)
	}
	return write(t, "recording.csv", b.String())
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func findings(t *testing.T, out string) (all []finding) {
	t.Helper()
	for line := range strings.Lines(out) {
		var f finding
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, f)
	}
	return all
}

func TestLeakInARecording(t *testing.T) {
	t.Setenv("LEAK_LIMIT_BYTES", fmt.Sprint(800*mib))
	leaking := record(t, 300, func(m float64) float64 { return 100 + 2*m })
	code, out, errs := ctl(t, "", "leak", "--trace", leaking)
	if code != exitOK || errs != "" {
		t.Fatalf("exit code %d, errors %q", code, errs)
	}
	all := findings(t, out)
	if len(all) != 1 {
		t.Fatalf("%d lines, want one:\n%s", len(all), out)
	}
	f := all[0]
	if !f.Suspected || f.Class != "anon" || math.Abs(f.Rate-2) > 0.01 || !strings.HasPrefix(f.Evidence, "rising floors for ") {
		t.Errorf("%s", out)
	}
	// 800 MiB less 4 of the kernel and 100 at first last 348 minutes at 2 MiB each.
	if f.ToLimit == nil || math.Abs(f.Time+*f.ToLimit-348*60) > 120 {
		t.Errorf("limit at %v s, want 20880: %s", f.ToLimit, out)
	}

	steady := record(t, 300, func(float64) float64 { return 300 })
	if code, out, errs := ctl(t, "", "leak", "--trace", steady); code != exitOK || out != "" || errs != "" {
		t.Errorf("no leak: exit code %d, printed %q, errors %q", code, out, errs)
	}
}

func TestLeakReadsTheFileBeside(t *testing.T) {
	t.Setenv("LEAK_LIMIT_BYTES", fmt.Sprint(800*mib))
	path := record(t, 300, func(float64) float64 { return 100 })
	var b strings.Builder
	b.WriteString("time_s,shmem,sock,slab_reclaimable\n")
	for s := 0; s < 300*60; s += 10 {
		fmt.Fprintf(&b, "%d,%d,0,0\n", s, s*mib/30)
	}
	if err := os.WriteFile(strings.TrimSuffix(path, ".csv")+".extra.csv", []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	_, out, _ := ctl(t, "", "leak", "--trace", path)
	if all := findings(t, out); len(all) != 1 || all[0].Class != "file" {
		t.Errorf("a leak in tmpfs:\n%s", out)
	}
}

func TestLeakByThreshold(t *testing.T) {
	path := record(t, 60, func(m float64) float64 { return 100 + 8*max(0, min(m, 40)-20) })
	code, out, errs := ctl(t, "", "leak", "--method", "threshold", "--trace", path)
	all := findings(t, out)
	if code != exitOK || len(all) != 2 || !all[0].Suspected || all[1].Suspected {
		t.Fatalf("exit code %d, errors %q, printed:\n%s", code, errs, out)
	}
	if from, to := all[0].Time/60, all[1].Time/60; from < 20 || from > 22 || to < 40 || to > 42 {
		t.Errorf("growth from minute 20 to 40 suspected from %.1f to %.1f", from, to)
	}
}

func TestLeakUsage(t *testing.T) {
	good := record(t, 1, func(float64) float64 { return 100 })
	bad := write(t, "bad.csv", recordingHeader+"0,1,x,3,4,5,1\n")
	const help = "\nmemsupctl --help says how it is used.\n"
	for name, tc := range map[string]struct {
		args  []string
		limit string
		code  int
		errs  string
	}{
		"no recording":   {[]string{"leak"}, "", exitUsage, `memsupctl: required flag(s) "trace" not set` + help},
		"a mistake":      {[]string{"leak", "--trace", bad}, "", exitUsage, "memsupctl: " + bad + `:2:5: anon: "x" is not a number from 0 on` + help},
		"limit":          {[]string{"leak", "--trace", good}, "1G", exitUsage, `memsupctl: LEAK_LIMIT_BYTES: "1G" is not a number of bytes` + help},
		"unknown method": {[]string{"leak", "--trace", good, "--method", "luck"}, "", exitUsage, `memsupctl: --method "luck" is unknown: trend or threshold` + help},
		"absent":         {[]string{"leak", "--trace", "/nowhere.csv"}, "", exitFailed, "memsupctl: read the recording: open /nowhere.csv: no such file or directory\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("LEAK_LIMIT_BYTES", tc.limit)
			code, out, errs := ctl(t, "", tc.args...)
			if code != tc.code || out != "" || errs != tc.errs {
				t.Errorf("exit code %d, printed %q, errors %q; want %d, %q", code, out, errs, tc.code, tc.errs)
			}
		})
	}
}
