package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/memsup/memsup/internal/api"
	"github.com/memsup/memsup/internal/cgroup"
	"github.com/memsup/memsup/internal/config"
	"github.com/memsup/memsup/internal/engine"
	"github.com/memsup/memsup/internal/feature"
	"github.com/memsup/memsup/internal/journal"
	"github.com/memsup/memsup/internal/kmsg"
	"github.com/memsup/memsup/internal/psi"
	"github.com/memsup/memsup/internal/service"
	"github.com/memsup/memsup/internal/state"
	"github.com/memsup/memsup/internal/supervise"
)

// logQueue bounds the decisions that wait for the log.
const logQueue = 1024

// Options are what the command line says.
type Options struct {
	Config  string // path of the configuration
	Version string
}

// ConfigError says that the configuration or this host will not do; systemd need
// not try again (EX_CONFIG).
type ConfigError struct{ Cause error }

func (e *ConfigError) Error() string { return e.Cause.Error() }
func (e *ConfigError) Unwrap() error { return e.Cause }

// app is memsupd, built.
type app struct {
	opts    Options
	log     *zap.Logger
	manager manager
	cfg     config.Config
	health  *health
	drivers *drivers

	supervisor *supervise.Supervisor
	server     *api.Server
	down       teardown
}

// Run runs memsupd until ctx ends; each value of reload makes it read its
// configuration again. The error is a [*ConfigError] when there is no point in
// trying again.
func Run(ctx context.Context, opts Options, reload <-chan os.Signal) (err error) {
	cfg, err := config.Load(opts.Config)
	if err != nil {
		return &ConfigError{err}
	}
	level, err := zapcore.ParseLevel(cfg.LogLevel)
	if err != nil {
		return &ConfigError{fmt.Errorf("log level: %w", err)}
	}
	a := &app{opts: opts, log: NewLogger(level), cfg: cfg}
	defer func() { err = errors.Join(err, a.down.run()) }()
	if err := a.build(ctx); err != nil {
		return err
	}
	return a.serve(ctx, reload)
}

// build makes every part, each with its teardown on the next line.
func (a *app) build(ctx context.Context) (err error) {
	host := feature.ThisHost()
	report, err := feature.Probe(host)
	if err != nil {
		return &ConfigError{fmt.Errorf("this host will not do: %w", err)}
	}
	a.health = newHealth(a.opts.Version)
	if a.manager, err = newManager(); err != nil {
		return err
	}

	units, err := a.connect(ctx, &report)
	if err != nil {
		return err
	}
	for _, missing := range report.Missing {
		a.log.Warn("going on without: " + missing.Error())
		a.health.missing = append(a.health.missing, missing.Error())
	}

	saved, writer, err := a.loadState()
	if err != nil {
		return err
	}
	a.down.add("state", writer.Close)

	watcher, err := cgroup.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch memory events: %w", err)
	}
	a.down.add("memory events", watcher.Close)

	var poller *psi.Poller
	if report.PSI {
		if poller, err = psi.NewPoller(); err != nil {
			return fmt.Errorf("wait for pressure: %w", err)
		}
		a.down.add("pressure triggers", poller.Close)
	}
	kernelLog, err := kmsg.Open("/dev/kmsg")
	if err != nil {
		kernelLog = nil // kills are still counted; only their victims go unnamed
		a.health.set("kernel log", err)
	} else {
		a.down.add("kernel log", kernelLog.Close)
	}

	record := &journal.Journal{}
	reader := record.Read(logQueue)
	logged := make(chan struct{})
	go func() {
		defer close(logged)
		logDecisions(a.log, reader, a.unitOf)
	}()
	a.down.add("log", func() error { reader.Close(); <-logged; return nil })

	a.supervisor = supervise.New(supervise.Host{
		CgroupRoot: host.Cgroup, Units: units, Memory: watcher, Pressure: poller, Kernel: kernelLog,
		State: writer, Journal: record, Now: supervise.Now,
	}, saved, a.cfg.Services)
	a.health.state = writer
	a.server = api.New(api.Options{
		Source:   source{a.supervisor, a.health},
		Operator: a.supervisor,
		Log:      a.log,
	})
	return nil
}

// connect reaches systemd, where it is what runs this host, and opens whatever
// else holds the services.
func (a *app) connect(ctx context.Context, report *feature.Report) (supervise.Units, error) {
	a.drivers = &drivers{units: map[service.Driver]supervise.Units{}}
	if report.Booted {
		if err := a.connectSystemd(ctx, report); err != nil {
			return nil, err
		}
	}
	if err := a.openDrivers(ctx, a.cfg.Services); err != nil {
		return nil, err
	}
	return a.drivers, nil
}

// loadState reads what an earlier memsupd left. A file of no use is set aside,
// said so, and memsupd begins anew.
func (a *app) loadState() (*engine.State, *state.Writer, error) {
	if err := os.MkdirAll(a.cfg.StateDir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("make the state directory: %w", err)
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return nil, nil, fmt.Errorf("read the boot ID: %w", err)
	}
	bootID := strings.TrimSpace(string(boot))
	saved, err := state.Load(a.cfg.StateDir)
	var aside *state.SetAside
	if errors.As(err, &aside) {
		a.log.Error(aside.Error())
	} else if err != nil {
		return nil, nil, err
	}
	if saved.BootID != "" && saved.BootID != bootID {
		saved.Engine.Rebase(rebase(saved.At, supervise.Now()))
	}
	writer, err := state.NewWriter(a.cfg.StateDir, bootID)
	return saved.Engine, writer, err
}

// rebase returns how far times on the boot clock of then move to have the same
// age now. A wall clock that went back counts as no time having passed.
func rebase(then, now service.Instant) time.Duration {
	passed := max(now.Wall.Sub(then.Wall), 0)
	return now.Boot - passed - then.Boot
}

func (a *app) unitOf(name string) string {
	st, _ := a.supervisor.Service(name)
	return st.Unit
}

// serve runs the parts until ctx ends or one of them fails.
func (a *app) serve(ctx context.Context, reload <-chan os.Signal) error {
	listeners, err := listen(ctx, a.cfg.Listen, a.cfg.Socket)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	part := func(name string, run func(context.Context) error) {
		group.Go(func() {
			if err := run(ctx); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	part("supervise", a.supervisor.Run)
	part("api", func(ctx context.Context) error { return a.server.Serve(ctx, listeners...) })
	part("watchdog", func(ctx context.Context) error { return a.manager.watchdog(ctx, a.supervisor.Alive) })
	part("reload", func(ctx context.Context) error { return a.reloads(ctx, reload) })
	if err := a.manager.ready(a.statusLine()); err != nil {
		cancel(err)
	}
	a.log.Info("memsupd "+a.opts.Version+" "+a.statusLine(), zap.String("config", a.opts.Config))
	<-ctx.Done()
	stopping := a.manager.tell("STOPPING=1")
	group.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return errors.Join(cause, stopping)
	}
	return stopping
}

func (a *app) statusLine() string {
	if len(a.cfg.Services) == 1 {
		return "supervising 1 service"
	}
	return fmt.Sprintf("supervising %d services", len(a.cfg.Services))
}

// reloads reads the configuration again at each signal. One that will not do is
// refused whole, and the old one stays.
func (a *app) reloads(ctx context.Context, reload <-chan os.Signal) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-reload:
		}
		if err := a.manager.reloading(); err != nil {
			return err
		}
		status := a.reload(ctx)
		if err := a.manager.ready(status); err != nil {
			return err
		}
	}
}

func (a *app) reload(ctx context.Context) (status string) {
	cfg, err := config.Load(a.opts.Config)
	if err == nil {
		err = a.openDrivers(ctx, cfg.Services)
	}
	if err == nil {
		err = a.supervisor.Configure(ctx, cfg.Services)
	}
	if err != nil {
		a.health.set("config", fmt.Errorf("the last reload was refused, the old configuration holds: %w", err))
		a.log.Error("reload refused, the old configuration holds", zap.Error(err))
		return a.statusLine() + "; the last reload was refused"
	}
	a.health.set("config", nil)
	if cfg.Listen != a.cfg.Listen || cfg.Socket != a.cfg.Socket || cfg.StateDir != a.cfg.StateDir || cfg.LogLevel != a.cfg.LogLevel {
		a.log.Warn("listen, socket, stateDir and logLevel change with the next start of memsupd, not with a reload")
	}
	a.cfg.Services = cfg.Services
	a.log.Info("reloaded, " + a.statusLine())
	return a.statusLine()
}
