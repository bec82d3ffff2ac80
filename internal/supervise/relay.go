package supervise

import "github.com/memsup/memsup/internal/unit"

// relay takes the changes off a watch and keeps one token of news.
type relay struct {
	watch   *unit.Watch
	changed chan struct{}
	closed  chan struct{}
}

func newRelay(w *unit.Watch) *relay {
	r := &relay{watch: w, changed: make(chan struct{}, 1), closed: make(chan struct{})}
	go r.run()
	return r
}

func (r *relay) run() {
	defer close(r.closed)
	for range r.watch.Ready() {
		r.watch.Take()
		select {
		case r.changed <- struct{}{}:
		default:
		}
	}
}

// Changed receives when something of the unit may have changed.
func (r *relay) Changed() <-chan struct{} { return r.changed }

// Close stops following.
func (r *relay) Close() error {
	err := r.watch.Close()
	<-r.closed
	return err
}
