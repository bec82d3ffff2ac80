package main

import (
	"fmt"
	"io"
	"time"
)

// stopwatch passes output on and remembers when the first came.
type stopwatch struct {
	to           io.Writer
	start, first time.Time
}

func newStopwatch(to io.Writer) *stopwatch { return &stopwatch{to: to, start: time.Now()} }

func (s *stopwatch) Write(p []byte) (int, error) {
	if s.first.IsZero() {
		s.first = time.Now()
	}
	return s.to.Write(p)
}

func (s *stopwatch) String() string {
	total := time.Since(s.start).Round(time.Millisecond)
	if s.first.IsZero() {
		return fmt.Sprintf("no output, %v in all", total)
	}
	return fmt.Sprintf("first output after %v, %v in all", s.first.Sub(s.start).Round(time.Millisecond), total)
}
