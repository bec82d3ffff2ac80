package unit

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/memsup/memsup/internal/limit"
)

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// next waits until the watch has shown all that is asked for.
func next(t *testing.T, w *Watch, want func(Change) bool) Change {
	t.Helper()
	for {
		c, err := w.Next(testContext(t))
		if err != nil {
			t.Fatalf("next: %v", err)
		}
		if want(c) {
			return c
		}
	}
}

func touches(name string) func(Change) bool {
	return func(c Change) bool { return slices.Contains(c.Units, name) }
}

func TestState(t *testing.T) {
	m := newManager(t)
	m.put("api.service", map[string]any{"MainPID": uint32(42), "MemoryMax": uint64(1 << 30), "ControlGroup": "/system.slice/api.service"})
	m.mu.Lock()
	m.files["sleeping.service"] = "enabled"
	m.files["hidden.service"] = "masked-runtime"
	m.units["empty.service"] = map[string]any{}
	m.mu.Unlock()
	s := m.connect()
	if s.Version() != "257.9-1" {
		t.Errorf("version %q", s.Version())
	}
	for name, want := range map[string]State{
		"api": {Name: "api.service", LoadState: "loaded", ActiveState: "active", SubState: "running", MainPID: 42,
			Cgroup: "/system.slice/api.service", Limits: limit.Set{Max: limit.Bytes(1 << 30)}},
		"sleeping.service": {Name: "sleeping.service", LoadState: "loaded", ActiveState: "inactive", SubState: "dead"},
		"hidden":           {Name: "hidden.service", LoadState: "masked", ActiveState: "inactive", SubState: "dead"},
		"nowhere":          {Name: "nowhere.service", LoadState: "not-found", ActiveState: "inactive", SubState: "dead"},
	} {
		got, err := s.State(testContext(t), name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d := cmp.Diff(want, got, cmp.AllowUnexported(limit.Value{})); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	if _, err := s.State(testContext(t), "../x"); !errors.Is(err, ErrName) {
		t.Errorf("bad name: %v", err)
	}
	if st, err := s.State(testContext(t), "empty"); err == nil {
		t.Errorf("a unit without properties reads as %+v", st)
	}
}

func TestConnectWithoutSystemd(t *testing.T) {
	b := newBus(t) // a bus, but nobody called org.freedesktop.systemd1 on it
	for _, address := range []string{b.address, "unix:path=" + b.dir + "/nothing"} {
		if _, err := Connect(testContext(t), Options{Bus: address, Private: "unix:path=/nonexistent"}); !errors.Is(err, ErrDisconnected) {
			t.Errorf("%s: %v, want %v", address, err, ErrDisconnected)
		}
	}
}

func TestWatchMergesAndNeverLoses(t *testing.T) {
	m := newManager(t)
	m.put("a.service", nil)
	m.put("other.service", nil)
	s := m.connect()
	w, err := s.Watch("a", "b.service")
	if err != nil {
		t.Fatal(err)
	}
	if c := next(t, w, func(Change) bool { return true }); !slices.Equal(c.Units, []string{"a.service", "b.service"}) || !c.Connected {
		t.Errorf("first change %+v", c)
	}
	for range 1000 {
		m.changed("a.service")
	}
	m.changed("other.service")
	m.emit(managerPath, managerFace+".UnitNew", "b.service", unitPath("b.service"))
	next(t, w, touches("b.service"))
	if _, err := s.State(testContext(t), "a"); err != nil { // all that was announced before has arrived
		t.Fatal(err)
	}
	w.Take()
	m.emit(managerPath, managerFace+".Reloading", true)
	m.emit(managerPath, managerFace+".Reloading", false)
	if c := next(t, w, func(c Change) bool { return len(c.Units) > 0 }); !c.Reloaded || len(c.Units) != 2 {
		t.Errorf("after a reload: %+v", c)
	}
	if c := w.Take(); c.Reloaded || len(c.Units) != 0 {
		t.Errorf("taken twice: %+v", c)
	}
	if err := errors.Join(w.Close(), w.Close()); err != nil {
		t.Error(err)
	}
	if _, err := w.Next(testContext(t)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestWatchFollowsAlias(t *testing.T) {
	m := newManager(t)
	m.put("real.service", nil)
	m.mu.Lock()
	m.alias["nick.service"] = "real.service"
	m.mu.Unlock()
	s := m.connect()
	w, err := s.Watch("nick")
	if err != nil {
		t.Fatal(err)
	}
	st, err := s.State(testContext(t), "nick")
	if err != nil || st.Name != "real.service" {
		t.Fatalf("alias reads as %q, %v", st.Name, err)
	}
	w.Take()
	m.changed("real.service")
	next(t, w, touches("nick.service"))
}

func TestReconnect(t *testing.T) {
	m := newManager(t)
	m.put("a.service", nil)
	s := m.connect()
	w, err := s.Watch("a")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		m.stop()
		next(t, w, func(c Change) bool { return !c.Connected })
		if _, err := s.State(testContext(t), "a"); !errors.Is(err, ErrDisconnected) {
			t.Fatalf("without a bus: %v", err)
		}
		m.start()
		m.appear()
		next(t, w, func(c Change) bool { return c.Connected && slices.Contains(c.Units, "a.service") })
		w.Take()
		m.changed("a.service")
		next(t, w, touches("a.service"))
	}
	if n := m.count(); n != 4 {
		t.Errorf("subscribed %d times over 4 links", n)
	}
}

func TestNewManagerIsSubscribedTo(t *testing.T) {
	m := newManager(t)
	m.put("a.service", nil)
	s := m.connect()
	w, err := s.Watch("a")
	if err != nil {
		t.Fatal(err)
	}
	w.Take()
	m.conn.Close() // systemd executes itself anew: the bus stays
	m.appear()
	next(t, w, func(c Change) bool { return c.Connected })
	for m.count() < 2 {
		next(t, w, func(Change) bool { return true })
	}
	m.changed("a.service")
	next(t, w, touches("a.service"))
}

func TestForgedSignalsAreIgnored(t *testing.T) {
	m := newManager(t)
	m.put("a.service", nil)
	running := make(chan uint32, 1)
	m.on(func(id uint32, _ string) { running <- id })
	s := m.connect()
	w, err := s.Watch("a")
	if err != nil {
		t.Fatal(err)
	}
	w.Take()
	ended := make(chan error, 1)
	go func() {
		_, err := s.Restart(testContext(t), "a")
		ended <- err
	}()
	id := <-running

	forger := m.dial()
	for _, e := range []struct {
		path   dbus.ObjectPath
		member string
		body   []any
	}{
		{managerPath, managerFace + ".JobRemoved", []any{id, jobPath(id), "a.service", "done"}},
		{unitPath("a.service"), propsFace + ".PropertiesChanged", []any{unitFace, map[string]dbus.Variant{}, []string{}}},
		{"/org/freedesktop/DBus", daemonFace + ".NameOwnerChanged", []any{busName, ":1.0", ""}},
	} {
		for _, to := range peers(t, forger) {
			if err := sendTo(forger, to, e.path, e.member, e.body...); err != nil {
				t.Fatal(err)
			}
		}
	}
	peers(t, forger) // the bus has passed on all that was sent before it was asked
	m.finish(id, "a.service", "failed")
	var job *JobError
	if err := <-ended; !errors.As(err, &job) || job.Job.Result != "failed" {
		t.Errorf("restart ended with %v, want what the manager said", err)
	}
	if c := w.Take(); len(c.Units) != 0 || !c.Connected {
		t.Errorf("a forged signal was heeded: %+v", c)
	}
}

// peers are the unique names on the bus, that of the Systemd under test among
// them.
func peers(t *testing.T, c *dbus.Conn) (unique []string) {
	t.Helper()
	var all []string
	if err := c.BusObject().Call(daemonFace+".ListNames", 0).Store(&all); err != nil {
		t.Fatal(err)
	}
	for _, name := range all {
		if name[0] == ':' {
			unique = append(unique, name)
		}
	}
	return unique
}

func sendTo(c *dbus.Conn, to string, path dbus.ObjectPath, name string, body ...any) error {
	face, member := name[:lastDot(name)], name[lastDot(name)+1:]
	return c.Send(&dbus.Message{
		Type: dbus.TypeSignal,
		Headers: map[dbus.HeaderField]dbus.Variant{
			dbus.FieldDestination: dbus.MakeVariant(to),
			dbus.FieldInterface:   dbus.MakeVariant(face),
			dbus.FieldMember:      dbus.MakeVariant(member),
			dbus.FieldPath:        dbus.MakeVariant(path),
			dbus.FieldSignature:   dbus.MakeVariant(dbus.SignatureOf(body...)),
		},
		Body: body,
	}, nil).Err
}

func lastDot(s string) int {
	for i := len(s) - 1; ; i-- {
		if s[i] == '.' {
			return i
		}
	}
}

func TestCallsAreBounded(t *testing.T) {
	m := newManager(t)
	m.put("a.service", nil)
	s := m.connect()
	m.mu.Lock()
	m.hang = make(chan struct{})
	m.mu.Unlock()
	defer close(m.hang)
	s.opts.CallTimeout = 1
	if _, err := s.State(t.Context(), "a"); !errors.Is(err, ErrDisconnected) {
		t.Errorf("a manager that does not answer: %v", err)
	}
	s.opts.CallTimeout = patience
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.State(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestCloseEndsAll(t *testing.T) {
	m := newManager(t)
	m.put("a.service", nil)
	running := make(chan uint32, 1)
	m.on(func(id uint32, _ string) { running <- id })
	s := m.connect()
	w, err := s.Watch("a")
	if err != nil {
		t.Fatal(err)
	}
	w.Take()
	ended := make(chan error, 1)
	go func() {
		_, err := s.Stop(testContext(t), "a")
		ended <- err
	}()
	<-running
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, os.ErrClosed) && !errors.Is(err, ErrDisconnected) {
		t.Errorf("job: %v", err)
	}
	if _, ok := <-w.Ready(); ok {
		<-w.Ready() // one token may have been left
	}
	if _, err := s.State(testContext(t), "a"); !errors.Is(err, ErrClosed) {
		t.Errorf("state: %v", err)
	}
	if _, err := s.Watch("a"); !errors.Is(err, ErrClosed) {
		t.Errorf("watch: %v", err)
	}
}
