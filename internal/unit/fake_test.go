package unit

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds the waits of tests that would hang if the code were wrong.
const patience = 20 * time.Second

// bus is a real dbus-daemon at an address of its own, which can be taken away
// and brought back.
type bus struct {
	t       testing.TB
	dir     string
	address string
	daemon  *exec.Cmd
}

const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><listen>%s</listen><auth>EXTERNAL</auth><policy context="default">
<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`

func newBus(t testing.TB) *bus {
	t.Helper()
	dir, err := os.MkdirTemp("", "bus") // short: the path of a socket has 107 bytes at most
	if err != nil {
		t.Fatal(err)
	}
	b := &bus{t: t, dir: dir, address: "unix:path=" + dir + "/bus"}
	t.Cleanup(func() {
		b.stop()
		os.RemoveAll(dir)
	})
	if err := os.WriteFile(filepath.Join(dir, "conf"), fmt.Appendf(nil, busConfig, b.address), 0o600); err != nil {
		t.Fatal(err)
	}
	b.start()
	return b
}

// start returns when the daemon listens: it prints its address then.
func (b *bus) start() {
	b.t.Helper()
	b.daemon = exec.Command("dbus-daemon", "--config-file="+b.dir+"/conf", "--nofork", "--print-address")
	out, err := b.daemon.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := b.daemon.Start(); err != nil {
		b.t.Fatalf("dbus-daemon (package dbus): %v", err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		b.t.Fatalf("dbus-daemon did not start: %v", err)
	}
}

func (b *bus) stop() {
	if b.daemon == nil {
		return
	}
	_ = b.daemon.Process.Kill()
	_ = b.daemon.Wait()
	_ = os.Remove(b.dir + "/bus")
	b.daemon = nil
}

func (b *bus) dial() *dbus.Conn {
	b.t.Helper()
	c, err := dbus.Connect(b.address)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { c.Close() })
	return c
}

// manager is as much of systemd as the tests need.
type manager struct {
	*bus
	conn *dbus.Conn

	mu         sync.Mutex
	units      map[string]map[string]any // loaded units by name
	alias      map[string]string
	files      map[string]string // states of the unit files of units that are not loaded
	jobs       map[uint32]bool
	lastJob    uint32
	subscribed int
	set        map[string]dbus.Variant // by SetUnitProperties or StartTransientUnit
	onJob      func(id uint32, unit string)
	hang       chan struct{} // GetUnit waits for it when it is not nil
}

func newManager(t testing.TB) *manager {
	t.Helper()
	m := &manager{
		bus: newBus(t), units: map[string]map[string]any{}, alias: map[string]string{},
		files: map[string]string{}, jobs: map[uint32]bool{}, set: map[string]dbus.Variant{},
	}
	m.on(func(id uint32, unit string) { m.finish(id, unit, "done") })
	m.appear()
	return m
}

// appear takes the manager's name on the bus.
func (m *manager) appear() {
	m.t.Helper()
	m.conn = m.dial()
	export := func(methods map[string]any, path dbus.ObjectPath, face string, export func(map[string]any, dbus.ObjectPath, string) error) {
		if err := export(methods, path, face); err != nil {
			m.t.Fatal(err)
		}
	}
	export(map[string]any{
		"Subscribe":        m.subscribe,
		"GetUnit":          m.getUnit,
		"GetUnitFileState": m.getUnitFileState,
		"GetJob":           m.getJob,
		"StartUnit":        m.startUnit,
		"StopUnit":         m.startUnit,
		"RestartUnit":      m.startUnit,
		"SetUnitProperties": func(_ string, _ bool, p []property) *dbus.Error {
			m.keep(p)
			return nil
		},
		"StartTransientUnit": func(name, mode string, p []property, _ []collection) (dbus.ObjectPath, *dbus.Error) {
			m.keep(p)
			return m.startUnit(name, mode)
		},
	}, managerPath, managerFace, m.conn.ExportMethodTable)
	export(map[string]any{
		"Get": func(string, string) (dbus.Variant, *dbus.Error) { return dbus.MakeVariant("257.9-1"), nil },
	}, managerPath, propsFace, m.conn.ExportMethodTable)
	export(map[string]any{"GetAll": m.getAll}, "/org/freedesktop/systemd1/unit", propsFace, m.conn.ExportSubtreeMethodTable)
	if reply, err := m.conn.RequestName(busName, dbus.NameFlagDoNotQueue); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		m.t.Fatalf("name %s: %v, %v", busName, reply, err)
	}
}

type property struct {
	Name  string
	Value dbus.Variant
}

type collection struct {
	Name       string
	Properties []property
}

// on says what happens when a job is asked for, before the reply is sent.
func (m *manager) on(job func(id uint32, unit string)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.onJob = job
}

// sent returns the properties that were set.
func (m *manager) sent() map[string]dbus.Variant {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.set)
}

// count returns how often someone subscribed.
func (m *manager) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.subscribed
}

func (m *manager) keep(p []property) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, one := range p {
		m.set[one.Name] = one.Value
	}
}

func (m *manager) subscribe() *dbus.Error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.subscribed++
	return nil
}

func (m *manager) getUnit(name string) (dbus.ObjectPath, *dbus.Error) {
	m.mu.Lock()
	hang := m.hang
	if to, ok := m.alias[name]; ok {
		name = to
	}
	_, ok := m.units[name]
	m.mu.Unlock()
	if hang != nil {
		<-hang
	}
	if !ok {
		return "/", dbus.NewError("org.freedesktop.systemd1.NoSuchUnit", []any{"Unit " + name + " not loaded."})
	}
	return unitPath(name), nil
}

func (m *manager) getUnitFileState(name string) (string, *dbus.Error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if st, ok := m.files[name]; ok {
		return st, nil
	}
	return "", dbus.NewError("org.freedesktop.DBus.Error.FileNotFound", []any{"No such file or directory"})
}

func (m *manager) getAll(msg dbus.Message, _ string) (map[string]dbus.Variant, *dbus.Error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	path, _ := msg.Headers[dbus.FieldPath].Value().(dbus.ObjectPath)
	out := map[string]dbus.Variant{}
	for name, properties := range m.units {
		if unitPath(name) == path {
			for k, v := range properties {
				out[k] = dbus.MakeVariant(v)
			}
		}
	}
	return out, nil
}

func (m *manager) getJob(id uint32) (dbus.ObjectPath, *dbus.Error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.jobs[id] {
		return "/", dbus.NewError(errNoJob, []any{"Job does not exist."})
	}
	return jobPath(id), nil
}

func (m *manager) startUnit(unit, _ string) (dbus.ObjectPath, *dbus.Error) {
	m.mu.Lock()
	m.lastJob++
	id := m.lastJob
	m.jobs[id] = true
	on := m.onJob
	m.mu.Unlock()
	on(id, unit)
	return jobPath(id), nil
}

func jobPath(id uint32) dbus.ObjectPath {
	return dbus.ObjectPath(fmt.Sprint("/org/freedesktop/systemd1/job/", id))
}

// finish ends a job and announces it.
func (m *manager) finish(id uint32, unit, result string) {
	m.mu.Lock()
	delete(m.jobs, id)
	m.mu.Unlock()
	m.emit(managerPath, managerFace+".JobRemoved", id, jobPath(id), unit, result)
}

// put loads a unit or changes it, and announces that.
func (m *manager) put(name string, properties map[string]any) {
	all := map[string]any{"Id": name, "LoadState": "loaded", "ActiveState": "active", "SubState": "running"}
	for k, v := range properties {
		all[k] = v
	}
	m.mu.Lock()
	m.units[name] = all
	m.mu.Unlock()
	m.changed(name)
}

func (m *manager) changed(name string) {
	m.emit(unitPath(name), propsFace+".PropertiesChanged", unitFace, map[string]dbus.Variant{}, []string{"ActiveState"})
}

func (m *manager) emit(path dbus.ObjectPath, name string, body ...any) {
	if err := m.conn.Emit(path, name, body...); err != nil && !strings.Contains(err.Error(), "closed") {
		m.t.Errorf("emit %s: %v", name, err)
	}
}

// connect is a Systemd on the manager's bus.
func (m *manager) connect() *Systemd {
	m.t.Helper()
	s, err := Connect(m.t.Context(), Options{Bus: m.address, Private: NoPrivate, MinDelay: time.Millisecond, MaxDelay: 10 * time.Millisecond})
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { s.Close() })
	return s
}
