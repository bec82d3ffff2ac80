// Package journald writes zap's entries to systemd's journal with its native
// protocol (systemd.journal-fields(7)), each field under a name of its own, so
// that they can be asked for: journalctl MEMSUP_SERVICE=api-server.
package journald

import (
	"fmt"
	"strings"

	"github.com/coreos/go-systemd/v22/journal"
	"go.uber.org/zap/zapcore"
)

// Fields that the journal itself gives a meaning to.
const (
	MessageID = "MESSAGE_ID"          // 128 bits that name the kind of event
	Unit      = "OBJECT_SYSTEMD_UNIT" // journalctl -u shows the entry with this unit's own
)

// Core is a zapcore.Core.
type Core struct {
	zapcore.LevelEnabler
	with []zapcore.Field
	send func(message string, p journal.Priority, vars map[string]string) error
}

// Available reports whether the journal's socket is there.
func Available() bool { return journal.Enabled() }

// New returns a core for the local journal.
func New(level zapcore.LevelEnabler) *Core {
	return &Core{LevelEnabler: level, send: socket{path: socketPath, patience: patience}.send}
}

// With returns a core that adds the fields to each entry.
func (c *Core) With(fields []zapcore.Field) zapcore.Core {
	with := append(append([]zapcore.Field(nil), c.with...), fields...)
	return &Core{LevelEnabler: c.LevelEnabler, with: with, send: c.send}
}

// Check adds the core to the entry if its level is enabled.
func (c *Core) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return ce.AddCore(e, c)
	}
	return ce
}

// Write sends one entry.
func (c *Core) Write(e zapcore.Entry, fields []zapcore.Field) error {
	enc := zapcore.NewMapObjectEncoder()
	for _, f := range c.with {
		f.AddTo(enc)
	}
	for _, f := range fields {
		f.AddTo(enc)
	}
	vars := make(map[string]string, len(enc.Fields)+1)
	vars["SYSLOG_IDENTIFIER"] = "memsupd"
	for k, v := range enc.Fields {
		vars[Name(k)] = fmt.Sprint(v)
	}
	message := e.Message
	if err, ok := enc.Fields["error"]; ok {
		message = fmt.Sprintf("%s: %v", message, err) // journalctl shows the message alone
	}
	if err := c.send(message, priority(e.Level), vars); err != nil {
		return fmt.Errorf("write to the journal: %w", err)
	}
	return nil
}

// Sync does nothing: an entry is sent whole.
func (c *Core) Sync() error { return nil }

// Name makes a journal field's name of a key: upper case, digits and underscores,
// prefixed with MEMSUP_ unless the journal knows the field.
func Name(key string) string {
	switch key {
	case MessageID, Unit:
		return key
	}
	clean := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		default:
			return '_'
		}
	}, key)
	return "MEMSUP_" + clean
}

func priority(l zapcore.Level) journal.Priority {
	switch l {
	case zapcore.DebugLevel:
		return journal.PriDebug
	case zapcore.InfoLevel:
		return journal.PriInfo
	case zapcore.WarnLevel:
		return journal.PriWarning
	case zapcore.ErrorLevel:
		return journal.PriErr
	default:
		return journal.PriCrit
	}
}
