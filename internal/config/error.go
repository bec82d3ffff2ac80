package config

import (
	"fmt"
	"strings"
)

// maxErrors bounds how many mistakes are told at once.
const maxErrors = 20

// Error is one mistake and its place.
type Error struct {
	File         string
	Line, Column int    // from 1; 0: of the file as a whole
	Problem      string // what was found
	Want         string // what was expected
}

func (e *Error) Error() string {
	place := e.File
	if e.Line > 0 {
		place = fmt.Sprintf("%s:%d:%d", e.File, e.Line, e.Column)
	}
	if e.Want == "" {
		return fmt.Sprintf("%s: %s", place, e.Problem)
	}
	return fmt.Sprintf("%s: %s: %s", place, e.Problem, e.Want)
}

// Errors is all mistakes of a configuration, in the order of the files.
type Errors []*Error

func (es Errors) Error() string {
	lines := make([]string, 0, len(es))
	for _, e := range es {
		lines = append(lines, e.Error())
	}
	return strings.Join(lines, "\n")
}

// closest returns the known key that key was likely meant to be, or "".
func closest(key string, known []string) string {
	best, least := "", len(key)/3+1
	for _, k := range known {
		if d := distance(strings.ToLower(key), strings.ToLower(k)); d <= least && (best == "" || d < least) {
			best, least = k, d
		}
	}
	return best
}

// distance is Levenshtein's: the fewest letters to insert, delete or change.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
