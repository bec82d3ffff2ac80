package journald

import (
	"errors"
	"testing"

	"github.com/coreos/go-systemd/v22/journal"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

func TestFieldsGetNamesOfTheirOwn(t *testing.T) {
	var message string
	var pri journal.Priority
	var got map[string]string
	core := &Core{LevelEnabler: zapcore.InfoLevel, send: func(m string, p journal.Priority, v map[string]string) error {
		message, pri, got = m, p, v
		return nil
	}}
	log := zap.New(core).With(zap.String("service", "api-server"))
	log.Warn("over the mark", zap.String(MessageID, "abc"), zap.String(Unit, "x.service"), zap.Int("used bytes", 7), zap.Error(errors.New("boom")))
	want := map[string]string{
		"SYSLOG_IDENTIFIER": "memsupd", "MEMSUP_SERVICE": "api-server", "MESSAGE_ID": "abc",
		"OBJECT_SYSTEMD_UNIT": "x.service", "MEMSUP_USED_BYTES": "7", "MEMSUP_ERROR": "boom",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if message != "over the mark: boom" || pri != journal.PriWarning {
		t.Errorf("%q at priority %d", message, pri)
	}
	got = nil
	log.Debug("hidden")
	if got != nil {
		t.Error("a debug entry was sent")
	}
}
