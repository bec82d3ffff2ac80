package main

import (
	"bytes"
	"sync"
)

// tail is a writer that keeps the last bytes of what was written, for an error
// message. Safe for several writers.
type tail struct {
	mu    sync.Mutex
	limit int
	kept  []byte
}

func newTail(limit int) *tail { return &tail{limit: limit} }

// Write never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - t.limit; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(p), nil
}

// String returns what is kept, without the carriage returns of a serial line.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(bytes.ReplaceAll(t.kept, []byte("\r"), nil)))
}
