package config

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"

	"github.com/memsup/memsup/internal/limit"
)

// Each of these reads one kind of value, or tells what was expected instead.

// text returns a scalar as it is written. An escape such as "\xff" can make bytes
// that neither D-Bus nor a path takes: not here.
func (p *reader) text(n ast.Node, want string) (string, bool) {
	legible := func(s string) (string, bool) {
		if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
			p.bad(p.at(n), want, "%.80q", s)
			return "", false
		}
		return s, true
	}
	switch n := n.(type) {
	case *ast.StringNode:
		return legible(n.Value)
	case *ast.LiteralNode:
		return legible(n.Value.Value)
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode:
		return n.GetToken().Value, true
	default:
		p.bad(p.at(n), want, "%s", kind(n))
		return "", false
	}
}

func (p *reader) str(to *string, want string, ok func(string) bool) func(ast.Node) {
	return func(n ast.Node) {
		s, is := p.text(n, want)
		switch {
		case !is:
		case ok != nil && !ok(s):
			p.bad(p.at(n), want, "%.80q", s)
		default:
			*to = s
		}
	}
}

func (p *reader) boolean(to *bool) func(ast.Node) {
	return func(n ast.Node) {
		b, ok := n.(*ast.BoolNode)
		if !ok {
			p.bad(p.at(n), "want true or false", "%s", kind(n))
			return
		}
		*to = b.Value
	}
}

func (p *reader) count(to *int, least, most int) func(ast.Node) {
	want := "want a whole number from " + strconv.Itoa(least) + " to " + strconv.Itoa(most)
	return func(n ast.Node) {
		s, ok := p.text(n, want)
		if !ok {
			return
		}
		v, err := strconv.Atoi(s)
		if err != nil || v < least || v > most {
			p.bad(p.at(n), want, "%.80q", s)
			return
		}
		*to = v
	}
}

func (p *reader) fraction(to *float64) func(ast.Node) {
	const want = "want a fraction of MemoryMax above 0 and at most 1, such as 0.85"
	return func(n ast.Node) {
		s, ok := p.text(n, want)
		if !ok {
			return
		}
		v, err := strconv.ParseFloat(s, 64)
		if err != nil || math.IsNaN(v) || v <= 0 || v > 1 {
			p.bad(p.at(n), want, "%.80q", s)
			return
		}
		*to = v
	}
}

// duration reads "5m", or a whole number of milliseconds.
func (p *reader) duration(to *time.Duration, least, most time.Duration) func(ast.Node) {
	want := "want a time from " + least.String() + " to " + most.String() + ", such as 90s or 5m, or milliseconds without a unit"
	return func(n ast.Node) {
		s, ok := p.text(n, want)
		if !ok {
			return
		}
		d, err := time.ParseDuration(s)
		if ms, merr := strconv.ParseInt(s, 10, 64); merr == nil && ms >= 0 && ms <= math.MaxInt64/int64(time.Millisecond) {
			d, err = time.Duration(ms)*time.Millisecond, nil
		}
		if err != nil || d < least || d > most {
			p.bad(p.at(n), want, "%.80q", s)
			return
		}
		*to = d
	}
}

func (p *reader) size(to *limit.Value) func(ast.Node) {
	return func(n ast.Node) {
		const want = `want a size such as 512M, 1.5G or "max"`
		s, ok := p.text(n, want)
		if !ok {
			return
		}
		v, err := limit.ParseSize(s)
		if err != nil {
			p.bad(p.at(n), want, "%.80q", s)
			return
		}
		*to = v
	}
}

// argv reads a program and its arguments.
func (p *reader) argv(to *[]string) func(ast.Node) {
	const want = "want a list: an absolute path, then arguments"
	return func(n ast.Node) {
		list, ok := n.(*ast.SequenceNode)
		if !ok || len(list.Values) == 0 {
			p.bad(p.at(n), want, "%s", kind(n))
			return
		}
		var out []string
		for i, v := range list.Values {
			s, ok := p.text(v, want)
			if ok && i == 0 && !strings.HasPrefix(s, "/") {
				p.bad(p.at(v), want, "%.80q", s)
			}
			out = append(out, s)
		}
		*to = out
	}
}

// environment reads names and values.
func (p *reader) environment(to *[]string) func(ast.Node) {
	return func(n ast.Node) {
		var out []string
		p.entries(n, "environment", func(key string, at place, value ast.Node) {
			s, ok := p.text(value, "want a value")
			if ok && !isVariable(key) {
				p.bad(at, "want a name of letters, digits and '_', not beginning with a digit", "environment variable %.60q", key)
			}
			out = append(out, key+"="+s)
		})
		*to = out
	}
}
