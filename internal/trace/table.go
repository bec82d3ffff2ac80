package trace

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// lineMax bounds a line: a few numbers are far shorter.
const lineMax = 4096

// Error is a mistake in a file. Line and Column count from 1, the column in bytes.
type Error struct {
	File         string
	Line, Column int
	Reason       string
}

// Error says where it is as editors understand it: FILE:LINE:COLUMN: REASON.
func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Reason)
}

// table reads numbers under a header, a row at a time.
type table struct {
	file    string
	lines   *bufio.Scanner
	line    int
	columns []string // wanted, in the order of values
	places  []int    // of each wanted column in the file
	width   int      // columns in the file
	values  []float64
}

// open reads the header; each of the columns must be in it, in any order. Others are
// skipped.
func open(file string, r io.Reader, columns ...string) (*table, error) {
	t := &table{file: file, lines: bufio.NewScanner(r), columns: columns, values: make([]float64, len(columns))}
	t.lines.Buffer(make([]byte, 0, lineMax), lineMax)
	text, err := t.next()
	if errors.Is(err, io.EOF) {
		return nil, &Error{file, 1, 1, "empty: a header was expected: " + strings.Join(columns, ",")}
	}
	if err != nil {
		return nil, err
	}
	header := strings.Split(strings.TrimPrefix(text, "\ufeff"), ",")
	for i := range header {
		header[i] = strings.TrimSpace(header[i])
	}
	t.width = len(header)
	for _, name := range columns {
		i := slices.Index(header, name)
		if i < 0 {
			return nil, &Error{file, t.line, 1, fmt.Sprintf("column %s is missing in the header", name)}
		}
		t.places = append(t.places, i)
	}
	return t, nil
}

// next returns the next line that is not empty; the error is io.EOF after the last.
func (t *table) next() (string, error) {
	for t.lines.Scan() {
		t.line++
		if text := strings.TrimSuffix(t.lines.Text(), "\r"); text != "" {
			return text, nil
		}
	}
	switch err := t.lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return "", &Error{t.file, t.line + 1, lineMax, fmt.Sprintf("the line is longer than %d bytes", lineMax)}
	case err != nil:
		return "", fmt.Errorf("read %s: %w", t.file, err)
	default:
		return "", io.EOF
	}
}

// row fills values from the next line; the error is io.EOF after the last. Values are
// finite and not negative.
func (t *table) row() error {
	text, err := t.next()
	if err != nil {
		return err
	}
	if n := strings.Count(text, ",") + 1; n != t.width {
		return &Error{t.file, t.line, len(text) + 1, fmt.Sprintf("%d columns, the header has %d", n, t.width)}
	}
	column, place := 1, 0
	for field := range strings.SplitSeq(text, ",") {
		for i, p := range t.places {
			if p != place {
				continue
			}
			v, err := strconv.ParseFloat(strings.TrimSpace(field), 64)
			if err != nil || math.IsInf(v, 0) || math.IsNaN(v) || v < 0 {
				return &Error{t.file, t.line, column, fmt.Sprintf("%s: %q is not a number from 0 on", t.columns[i], field)}
			}
			t.values[i] = v
		}
		column += len(field) + 1
		place++
	}
	return nil
}
