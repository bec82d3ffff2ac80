package main

import (
	"bytes"
	"fmt"
	"io"
	"unicode"
)

// output keeps the first error of writing, so that a full disk is not taken for
// success; nothing is written after it.
type output struct {
	to  io.Writer
	err error
}

// Write writes p unless a write before it has failed.
func (o *output) Write(p []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	n, err := o.to.Write(p)
	if err != nil {
		o.err = fmt.Errorf("print: %w", err)
	}
	return n, o.err
}

// printJSON writes memsupd's answer as it came. On a terminal the control
// characters that JSON allows within strings (U+007F to U+009F) are escaped, which
// does not change what it says.
func (c *command) printJSON(answer []byte) {
	answer = bytes.TrimSpace(answer)
	if c.terminal {
		answer = escapeControls(answer)
	}
	fmt.Fprintf(c.out, "%s\n", answer)
}

func escapeControls(text []byte) []byte {
	var b bytes.Buffer
	for _, r := range string(text) {
		if r >= 0x7f && unicode.IsControl(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.Bytes()
}
