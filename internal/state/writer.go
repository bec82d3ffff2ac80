package state

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/memsup/memsup/internal/engine"
	"github.com/memsup/memsup/internal/service"
)

// retry is how long after a failed write the next attempt is made.
const retry = 5 * time.Second

// ErrClosed says that the writer was closed before the state was written.
var ErrClosed = errors.New("state writer is closed")

// Writer writes states off the line that makes them: putting one never waits
// for the disk, and only the newest of those that wait is written.
type Writer struct {
	dir    string
	bootID string

	mu      sync.Mutex
	pending []byte
	put     uint64 // tickets given out
	tried   uint64 // newest ticket whose write was attempted
	err     error  // of that attempt
	changed chan struct{}

	wake chan struct{}
	quit chan struct{}
	done chan struct{}
	once sync.Once
}

// NewWriter starts a writer for the directory dir, which must be there. Temporary
// files that an earlier one left are removed; that they cannot be is told by
// [Writer.Err] until a write succeeds, and keeps nobody from supervising.
func NewWriter(dir, bootID string) (*Writer, error) {
	if st, err := os.Stat(dir); err != nil || !st.IsDir() {
		return nil, fmt.Errorf("state directory %s: %w", dir, cmp.Or[error](err, syscall.ENOTDIR))
	}
	w := &Writer{
		dir: dir, bootID: bootID, err: sweep(dir),
		changed: make(chan struct{}),
		wake:    make(chan struct{}, 1),
		quit:    make(chan struct{}),
		done:    make(chan struct{}),
	}
	go w.run()
	return w, nil
}

// Put hands a state over to be written and returns a ticket to wait for it by.
// The state may change afterwards.
func (w *Writer) Put(at service.Instant, s *engine.State) (uint64, error) {
	b, err := json.Marshal(Saved{Version: engine.Version, BootID: w.bootID, At: at, Engine: s})
	if err != nil {
		return 0, fmt.Errorf("encode state: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.put++
	w.pending = b
	select {
	case w.wake <- struct{}{}:
	default:
	}
	return w.put, nil
}

// Durable waits until the state of the ticket, or a newer one, is on disk. It
// returns the write's error if that failed, and ctx's when that ends first.
func (w *Writer) Durable(ctx context.Context, ticket uint64) error {
	for {
		w.mu.Lock()
		tried, err, changed := w.tried, w.err, w.changed
		w.mu.Unlock()
		if tried >= ticket {
			return err
		}
		select {
		case <-changed:
		case <-w.done: // after its last write, which may have been this one
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.tried >= ticket {
				return w.err
			}
			return ErrClosed
		case <-ctx.Done():
			return fmt.Errorf("wait for state: %w", ctx.Err())
		}
	}
}

// Err returns the error of the newest write, or nil.
func (w *Writer) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// Close writes what is pending and ends the writer. It returns the error of the
// newest write.
func (w *Writer) Close() error {
	w.once.Do(func() { close(w.quit) })
	<-w.done
	return w.Err()
}

func (w *Writer) run() {
	defer close(w.done)
	again := time.NewTimer(0)
	if !again.Stop() {
		<-again.C
	}
	defer again.Stop()
	for {
		select {
		case <-w.wake:
		case <-again.C:
		case <-w.quit:
			w.write()
			return
		}
		if !w.write() {
			again.Reset(retry)
		}
	}
}

// write makes one attempt at the newest pending state and reports success.
func (w *Writer) write() bool {
	w.mu.Lock()
	b, ticket := w.pending, w.put
	w.mu.Unlock()
	if b == nil {
		return true
	}
	err := save(w.dir, b)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tried, w.err = ticket, err
	if err == nil && w.put == ticket {
		w.pending = nil
	}
	close(w.changed)
	w.changed = make(chan struct{})
	return err == nil
}
