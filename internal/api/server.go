package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/memsup/memsup/internal/service"
)

// Bounds of the server.
const (
	headerTimeout   = 5 * time.Second
	readTimeout     = 15 * time.Second
	writeTimeout    = 30 * time.Second
	idleTimeout     = time.Minute
	shutdownTimeout = 5 * time.Second
	maxHeader       = 16 << 10
	maxBody         = 64 << 10
	maxConnections  = 256 // of each listener

	// restartPatience is how long POST /restart waits for the end of a restart.
	restartPatience = 5 * time.Minute
)

// Source is what there is to show.
type Source interface {
	Services() []service.Status
	Service(name string) (service.Status, bool)
	Alerts() []service.Alert            // firing
	Recent(name string) []service.Point // oldest first
	Health() service.Health
}

// Operator does what it is asked to.
type Operator interface {
	// Restart restarts a service and waits for the end. When ctx ends first, it
	// returns a record with an ID and no outcome beside ctx's error. It refuses
	// with [service.ErrUnknown], [service.ErrBusy] and [service.ErrUnavailable].
	Restart(ctx context.Context, service, by string) (service.ActionRecord, error)
}

// Options are what a server is made of.
type Options struct {
	Source   Source
	Operator Operator
	Log      *zap.Logger // nil: silent
	ProcNet  string      // directory of tcp and tcp6; "" is /proc/net
	Accounts Accounts    // nil: those of this host
}

// Server answers requests.
type Server struct {
	source   Source
	operator Operator
	log      *zap.Logger
	procNet  string
	accounts Accounts
	handler  http.Handler
}

// New returns a server; [Server.Serve] runs it.
func New(opts Options) *Server {
	s := &Server{
		source: opts.Source, operator: opts.Operator, log: opts.Log,
		procNet: opts.ProcNet, accounts: opts.Accounts,
	}
	if s.log == nil {
		s.log = zap.NewNop()
	}
	if s.procNet == "" {
		s.procNet = "/proc/net"
	}
	if s.accounts == nil {
		s.accounts = hostAccounts{}
	}
	s.handler = s.routes()
	return s
}

// Serve answers on the listeners, which it closes, until ctx ends or one of them
// fails. It then gives requests in progress a few seconds to finish; those that
// wait for a restart are answered at once.
func (s *Server) Serve(ctx context.Context, listeners ...net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	h := &http.Server{
		Handler:                      s.handler,
		ReadHeaderTimeout:            headerTimeout,
		ReadTimeout:                  readTimeout,
		WriteTimeout:                 writeTimeout,
		IdleTimeout:                  idleTimeout,
		MaxHeaderBytes:               maxHeader,
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     zap.NewStdLog(s.log.Named("http")),
		BaseContext:                  func(net.Listener) context.Context { return ctx },
		ConnContext:                  withConnection,
	}
	var group sync.WaitGroup
	failures := make(chan error, len(listeners))
	for _, l := range listeners {
		group.Go(func() {
			err := h.Serve(newBounded(l, maxConnections))
			if !errors.Is(err, http.ErrServerClosed) {
				failures <- fmt.Errorf("serve %s: %w", l.Addr(), err)
			}
		})
	}
	var failed error
	select {
	case <-ctx.Done():
	case failed = <-failures:
		cancel()
	}
	err := stop(context.WithoutCancel(ctx), h)
	group.Wait()
	return errors.Join(failed, err)
}

// stop ends the server in bounded time. Requests that had to be cut off are no
// failure: memsupd is going down.
func stop(ctx context.Context, h *http.Server) error {
	ctx, cancel := context.WithTimeout(ctx, shutdownTimeout)
	defer cancel()
	err := h.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = h.Close()
	}
	if err != nil {
		return fmt.Errorf("stop serving: %w", err)
	}
	return nil
}
