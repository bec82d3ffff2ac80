package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// gap separates two columns.
const gap = "  "

// table is text in columns: of numbers to the right, of words to the left.
type table struct {
	columns []column
	rows    [][]string
}

type column struct {
	title string
	right bool
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// print writes the table. The last column is not filled up.
func (t *table) print(w io.Writer) {
	header := make([]string, len(t.columns))
	widths := make([]int, len(t.columns))
	for i, c := range t.columns {
		header[i] = c.title
		widths[i] = width(c.title)
		for _, row := range t.rows {
			widths[i] = max(widths[i], width(row[i]))
		}
	}
	for _, row := range append([][]string{header}, t.rows...) {
		var line strings.Builder
		for i, cell := range row {
			fill := strings.Repeat(" ", widths[i]-width(cell))
			switch {
			case t.columns[i].right:
				line.WriteString(fill + cell + gap)
			default:
				line.WriteString(cell + fill + gap)
			}
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}

// width is how wide a cell is on a terminal: its own colours take no room.
func width(cell string) int {
	n := 0
	for {
		before, rest, coloured := strings.Cut(cell, "\x1b[")
		n += utf8.RuneCountInString(before)
		if !coloured {
			return n
		}
		_, cell, _ = strings.Cut(rest, "m")
	}
}
