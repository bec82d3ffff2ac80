package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/memsup/memsup/internal/limit"
	"github.com/memsup/memsup/internal/service"
)

// What stands for a value that there is none of.
const (
	none    = "-"       // in a table
	unknown = "unknown" // in words
)

// clean makes one line of text from elsewhere (a process names itself) that is
// safe on a terminal: what is not printable is shown as an escape.
func clean(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == '\n' || r == '\t':
			b.WriteByte(' ')
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	return strings.TrimSpace(b.String())
}

// lines is clean for text of several lines; there is always a first one.
func lines(s string) []string {
	all := strings.Split(strings.TrimSpace(s), "\n")
	for i, line := range all {
		all[i] = clean(line)
	}
	return all
}

// size writes a limit: "256 MiB", "max", or unset when nothing is known of it.
func size(v limit.Value, unset string) string {
	n, ok := v.Bytes()
	switch {
	case ok:
		return strings.Replace(limit.Humanize(n), ".0 ", " ", 1)
	case v.IsMax():
		return "max"
	default:
		return unset
	}
}

func amount(a service.Amount) string {
	if n, ok := a.Get(); ok {
		return limit.Humanize(n)
	}
	return unknown
}

// use is the working set in per cent of Max; false when there is no such limit.
func use(s *service.Sample, limitMax limit.Value) (percent float64, ok bool) {
	n, ok := limitMax.Bytes()
	if s == nil || !ok || n == 0 {
		return 0, false
	}
	return float64(s.WorkingSet) / float64(n) * 100, true
}

// span writes a duration in its two largest units: "4 s", "2 h 5 min", "3 d 1 h".
func span(d time.Duration) string {
	units := []struct {
		of   time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}}
	d = max(d, 0).Truncate(time.Second)
	for i, u := range units {
		if d < u.of {
			continue
		}
		text := fmt.Sprintf("%d %s", d/u.of, u.name)
		if rest := d % u.of; i+1 < len(units) && rest >= units[i+1].of {
			text += fmt.Sprintf(" %d %s", rest/units[i+1].of, units[i+1].name)
		}
		return text
	}
	return "0 s"
}

// took writes how long something lasted, short times to a tenth of a second.
func took(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return span(d)
}

// when writes a moment with its distance: "Thu 2026-07-23 10:11:12 CEST (4 s ago)".
func (c *command) when(t time.Time) string {
	return fmt.Sprintf("%s (%s ago)", t.In(c.now.Location()).Format("Mon 2006-01-02 15:04:05 MST"), c.age(t))
}

func (c *command) age(t time.Time) string { return span(c.now.Sub(t)) }

// severity writes a severity in capitals, in its colour.
func (c *command) severity(s service.Severity) string {
	text := strings.ToUpper(clean(string(s)))
	if !c.colour {
		return text
	}
	switch s {
	case service.Critical:
		return "\x1b[1;31m" + text + "\x1b[0m"
	case service.Warning:
		return "\x1b[33m" + text + "\x1b[0m"
	default:
		return text
	}
}
