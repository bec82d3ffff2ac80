package daemon

import (
	"fmt"
	"os"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/memsup/memsup/internal/journal"
	"github.com/memsup/memsup/internal/journald"
	"github.com/memsup/memsup/internal/service"
)

// The journal's message IDs, one for each kind of event. They never change; the
// list is in docs/architecture.md and their explanations in the message catalog.
const (
	idAlertRaised   = "d4840793f52d4ae586d980de0caca759"
	idAlertResolved = "df73bf45787a45629f679a6651e6c209"
	idActionBegun   = "448eee4a46964160b840052d50cbce59"
	idActionEnded   = "c5c03a6e5f024120bb1f4d1c650a5473"
	idNote          = "47de67f66e6d46948ebc67b903701709"
)

// NewLogger logs to systemd's journal when it takes memsupd's output, and in
// plain lines to standard error otherwise.
func NewLogger(level zapcore.LevelEnabler) *zap.Logger {
	if os.Getenv("JOURNAL_STREAM") != "" && journald.Available() {
		return zap.New(journald.New(level))
	}
	enc := zap.NewDevelopmentEncoderConfig()
	enc.EncodeTime = zapcore.RFC3339TimeEncoder
	return zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(enc), zapcore.Lock(os.Stderr), level))
}

// logDecisions writes each decision to the log, until the reader is closed. It
// runs beside the line: a log that hangs costs entries, which are counted.
func logDecisions(log *zap.Logger, r *journal.Reader, unitOf func(service string) string) {
	lost := uint64(0)
	for e := range r.C {
		if n := r.Dropped(); n > lost {
			log.Warn("the log fell behind", zap.Uint64("lost", n-lost))
			lost = n
		}
		logDecision(log, e.Decision, unitOf(e.Decision.Service))
	}
}

func logDecision(log *zap.Logger, d service.Decision, unit string) {
	fields := func(id string, more ...zap.Field) []zap.Field {
		f := append([]zap.Field{zap.String(journald.MessageID, id)}, more...)
		if d.Service != "" {
			f = append(f, zap.String("service", d.Service))
		}
		if unit != "" {
			f = append(f, zap.String(journald.Unit, unit))
		}
		return f
	}
	switch {
	case d.Alert != nil && d.Alert.State == service.Firing:
		a := d.Alert
		log.Log(levelOf(a.Severity), fmt.Sprintf("%s: %s: %s", d.Service, a.Rule, a.Message), fields(idAlertRaised,
			zap.String("alert", a.ID), zap.String("rule", a.Rule), zap.String("severity", string(a.Severity)),
			zap.Float64("value", a.Value), zap.Float64("threshold", a.Threshold), zap.Float64("latency_ms", float64(a.LatencyNs)/1e6))...)
	case d.Alert != nil:
		a := d.Alert
		log.Info(fmt.Sprintf("%s: %s resolved: %s", d.Service, a.Rule, a.Message), fields(idAlertResolved,
			zap.String("alert", a.ID), zap.String("rule", a.Rule))...)
	case d.Begin != nil:
		log.Warn(fmt.Sprintf("%s: %s begins: %s", d.Service, d.Begin.Kind, d.Begin.Reason), fields(idActionBegun,
			zap.String("action", d.Begin.ID), zap.String("by", d.Begin.By), zap.String("cause", d.Begin.Alert))...)
	case d.End != nil:
		level, detail := zapcore.InfoLevel, ""
		if d.End.Outcome == service.Unfinished {
			level = zapcore.ErrorLevel
		}
		if d.End.Detail != "" {
			detail = ": " + d.End.Detail
		}
		log.Log(level, fmt.Sprintf("%s: %s %s after %v%s", d.Service, d.End.Kind, d.End.Outcome, d.End.Took.Round(1e6), detail), fields(idActionEnded,
			zap.String("action", d.End.ID), zap.String("outcome", string(d.End.Outcome)), zap.Duration("took", d.End.Took))...)
	case d.Note != nil:
		level := zapcore.InfoLevel
		if d.Note.Kind == "trouble" {
			level = zapcore.WarnLevel
		}
		message := d.Note.Message
		if d.Service != "" {
			message = d.Service + ": " + message
		}
		log.Log(level, message, fields(idNote, zap.String("note", d.Note.Kind))...)
	}
}

func levelOf(s service.Severity) zapcore.Level {
	switch s {
	case service.Critical:
		return zapcore.ErrorLevel
	case service.Warning:
		return zapcore.WarnLevel
	default:
		return zapcore.InfoLevel
	}
}
