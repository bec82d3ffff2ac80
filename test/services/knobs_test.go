package services_test

import (
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

func TestNonsenseIsRefused(t *testing.T) {
	t.Parallel()
	const exUsage = 64
	for _, c := range []struct{ knob, want string }{
		{"PORT=65536", "want 0 to 65535"},
		{"LEAK=heap:2M", "want heap:SIZE/s, buffer:SIZE/s or request:SIZE, such as heap:2M/s"},
		{"CACHE_READ=/dev/null/x", "want the path of a file: ENOTDIR"},
		{"STILL=yes", "want 0 or 1"},
	} {
		t.Run(c.knob, func(t *testing.T) {
			t.Parallel()
			p := run(t, "cache-warmer", c.knob)
			if code, want := p.exit(), "cache-warmer: "+c.knob+": "+c.want+"\n"; code != exUsage || p.said() != want {
				t.Errorf("got exit code %d and %q, want %d and %q", code, p.said(), exUsage, want)
			}
		})
	}
}

func TestNonsenseIsRefusedLaterToo(t *testing.T) {
	t.Parallel()
	p := start(t, "pricing", "TROUBLE=1", "STILL=1")
	for _, c := range []struct{ knob, text, want string }{
		{"hold", "", "hold=: want a size"},
		{"hold", "20MB", "hold=20MB: want a size of up to 64G, such as 20M"},
		{"hold", "65G", "hold=65G: want a size of up to 64G"},
		{"hold", strings.Repeat("9", 400), "want a size"},
		{"leak", "stack:1M/s", "leak=stack:1M/s: want heap:SIZE/s"},
		{"leak", "heap:1M/m", "want heap:SIZE/s"},
		{"leak", "request:1MB", "leak=request:1MB: want a size"},
		{"leak_max", "0", "leak_max=0: want a size"},
		{"leak_max", "off", "leak_max=off: want a size"},
		{"burst", "64M/20s", "burst=64M/20s: want SIZE/EVERY/FOR"},
		{"burst", "64M/5s/20s", "want a burst that ends before the next begins, such as 64M/20s/5s"},
		{"burst", "64M/20s/0s", "want a time from 0.1s"},
		{"still", "1", "still: want one of hold, leak, leak_max, burst"},
		{"toString", "1", "toString: want one of"},
	} {
		p.refused(http.StatusBadRequest, c.want, "POST", "/trouble?"+url.Values{c.knob: {c.text}}.Encode(), "")
	}
	p.refused(http.StatusBadRequest, "burst", "POST", "/trouble?leak=heap:1M/s&burst=x", "")
	if got := p.trouble(""); got.Leak != nil {
		t.Errorf("half of what was refused was done: %+v", got)
	}
}

type cache struct{ Size, Hits, Misses int }

func TestStillDoesNothing(t *testing.T) {
	t.Parallel()
	still, lively := start(t, "cache-warmer", "STILL=1"), start(t, "cache-warmer", "STILL=0")
	eventually(t, "the cache warms by itself", func() (string, bool) {
		_, text := lively.ask("GET", "/cache", "")
		return text, get[cache](lively, "/cache").Size > 0
	})
	still.pass(1100 * time.Millisecond) // its second would have come
	if got := get[cache](still, "/cache"); got != (cache{}) {
		t.Errorf("with STILL=1: got %+v", got)
	}
}

func TestCacheReadReadsOverAndOver(t *testing.T) {
	t.Parallel()
	const size = 32 << 20
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	p := start(t, "pricing", "STILL=1", "CACHE_READ="+f.Name())
	eventually(t, "the file is read twice", func() (string, bool) {
		text, n := p.proc("io", "rchar")
		return text, n >= 2*size
	})
}
