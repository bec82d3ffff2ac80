package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Parse makes a configuration of the files' contents; a later file overrides an
// earlier one key by key. The error is of type [Errors].
func Parse(files []File) (Config, error) {
	p := &reader{config: defaults(), base: newDraft(), drafts: map[string]*draft{}}
	var roots []ast.Node
	for _, f := range files {
		p.file = f.Name
		roots = append(roots, p.parse(f))
	}
	// Defaults first, wherever they stand, so that the order of keys is of no
	// importance.
	for _, pass := range []func(ast.Node){p.readDefaults, p.readRest} {
		for i, f := range files {
			p.file = f.Name
			if roots[i] != nil {
				pass(roots[i])
			}
		}
	}
	p.finish()
	if len(p.errs) > 0 {
		return Config{}, p.errs
	}
	return p.config, nil
}

// place is where something was said.
type place struct {
	file         string
	line, column int
}

// reader reads files one after the other and gathers mistakes.
type reader struct {
	config Config
	base   *draft // what "defaults" says
	drafts map[string]*draft
	order  []string
	file   string
	errs   Errors
}

func (p *reader) at(n ast.Node) place {
	if n == nil {
		return place{p.file, 1, 1}
	}
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		return p.at(m.Values[0].Key)
	}
	return p.where(n.GetToken())
}

func (p *reader) where(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{p.file, 1, 1}
	}
	return place{p.file, max(t.Position.Line, 1), max(t.Position.Column, 1)}
}

func (p *reader) bad(at place, want, format string, args ...any) {
	if len(p.errs) < maxErrors {
		p.errs = append(p.errs, &Error{File: at.file, Line: at.line, Column: at.column, Problem: fmt.Sprintf(format, args...), Want: want})
	}
}

// parse returns the document of a file, or nil when there is nothing to read.
func (p *reader) parse(f File) ast.Node {
	content := strings.TrimPrefix(string(f.Content), "\ufeff") // what some editors begin a file with
	if at, ok := p.legible(content); !ok {
		p.bad(at, "want UTF-8", "not YAML: bytes that are no text")
		return nil
	}
	tokens := lexer.Tokenize(content)
	if t, problem := tooMuch(tokens); t != nil {
		p.bad(p.where(t), "", "not a configuration: %s", problem)
		return nil
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		var syntax *yaml.SyntaxError
		if errors.As(err, &syntax) { // its Error prints the file, which can take minutes
			p.bad(p.where(syntax.Token), "", "not YAML: %s", firstLine(syntax.Message))
		} else {
			p.bad(place{p.file, 1, 1}, "", "not YAML: %s", firstLine(err.Error()))
		}
		return nil
	}
	var root ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.NullType || doc.Body.Type() == ast.CommentGroupType {
			continue
		}
		if root != nil {
			p.bad(p.at(doc.Body), "want one document a file", "a second document")
			break
		}
		root = doc.Body
	}
	return root
}

// maxDepth and maxKeys are more than a configuration has. The parser calls itself for
// each level, so that a file of brackets alone would exhaust the stack, which ends the
// process and not the call; and it takes time by the square of a mapping's keys.
const (
	maxDepth = 32
	maxKeys  = 20 * maxServices
)

// tooMuch returns the first token that is one too many and why, or nil. Blocks that are
// indented line by line are not counted as depth: theirs is no more than the root of the
// file's size.
func tooMuch(tokens token.Tokens) (*token.Token, string) {
	flow, inLine, line, marks, names := 0, 0, 0, 0, 0
	for _, t := range tokens {
		if t.Position != nil && t.Position.Line != line {
			line, inLine = t.Position.Line, 0
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow--
		case token.SequenceEntryType, token.MappingKeyType:
			inLine++
		case token.TagType, token.AnchorType:
			marks++ // none is read here
		case token.MappingValueType:
			names++
		}
		if flow+inLine+marks > maxDepth {
			return t, fmt.Sprintf("nested more than %d deep", maxDepth)
		}
		if names > maxKeys {
			return t, fmt.Sprintf("more than %d keys", maxKeys)
		}
	}
	return nil, ""
}

// legible reports whether s is text, or where it is not.
func (p *reader) legible(s string) (place, bool) {
	for i, r := range s {
		if r == 0 || r == utf8.RuneError && !strings.HasPrefix(s[i:], string(utf8.RuneError)) {
			return place{p.file, 1 + strings.Count(s[:i], "\n"), i - strings.LastIndexByte(s[:i], '\n')}, false
		}
	}
	return place{}, true
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

// keys says what to do with the value of each key of a mapping.
type keys map[string]func(ast.Node)

// mapping reads a mapping of known keys.
func (p *reader) mapping(n ast.Node, what string, known keys) {
	names := make([]string, 0, len(known))
	for k := range known {
		names = append(names, k)
	}
	slices.Sort(names)
	p.entries(n, what, func(key string, at place, value ast.Node) {
		if read := known[key]; read != nil {
			read(value)
			return
		}
		want := "want one of " + strings.Join(names, ", ")
		if k := closest(key, names); k != "" {
			want = fmt.Sprintf("did you mean %q?", k)
		}
		p.bad(at, want, "unknown key %.60q in %s", key, what)
	})
}

// entries reads a mapping of any keys, each at most once.
func (p *reader) entries(n ast.Node, what string, read func(key string, at place, value ast.Node)) {
	if n == nil || n.Type() == ast.NullType {
		return // nothing said
	}
	var values []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	default:
		p.bad(p.at(n), "want keys and values", "%s is %s", what, kind(n))
		return
	}
	seen := map[string]bool{}
	for _, v := range values {
		key, ok := v.Key.(ast.ScalarNode)
		if !ok {
			p.bad(p.at(v.Key), "want a name", "a key of %s is %s", what, kind(v.Key))
			continue
		}
		name := key.GetToken().Value // as it is written: 010 is not 8
		if s, ok := v.Key.(*ast.StringNode); ok {
			name = s.Value
		}
		if seen[name] {
			p.bad(p.at(v.Key), "", "key %.60q is there twice in %s", name, what)
			continue
		}
		seen[name] = true
		read(name, p.at(v.Key), v.Value)
	}
}

// kind names what a node is, for people.
func kind(n ast.Node) string {
	switch n := n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		return "an anchor or alias, which are not read here"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "keys and values"
	case *ast.SequenceNode:
		return "a list"
	case *ast.NullNode:
		return "empty"
	default:
		if t := n.GetToken(); t != nil {
			return fmt.Sprintf("%.60q", t.Value)
		}
		return n.Type().String()
	}
}
