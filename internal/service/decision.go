package service

import "time"

// Severity orders alerts.
type Severity string

// The severities.
const (
	Info     Severity = "info"
	Warning  Severity = "warning"
	Critical Severity = "critical"
)

// The rules that raise alerts.
const (
	RuleWarning   = "memory-warning"     // working set over the warning mark
	RuleCritical  = "memory-critical"    // working set over the critical mark
	RuleLivelock  = "memory-livelock"    // held at MemoryHigh and making no progress
	RuleOOMKill   = "oom-kill"           // the kernel killed a process of the service
	RuleExhausted = "restarts-exhausted" // maxRestarts is used up; memsupd gave up
	RuleFailed    = "restart-failed"     // a restart did not bring the service back
	RuleDown      = "service-down"       // the unit ended in failure
)

// AlertState is where an alert stands.
type AlertState string

// The states of an alert that others see.
const (
	Firing   AlertState = "firing"
	Resolved AlertState = "resolved"
)

// Alert is a rule that holds, or held, for a service.
type Alert struct {
	ID        string     `json:"id"` // "api-server/memory-critical/3"; one for each time it fires
	Rule      string     `json:"rule"`
	Service   string     `json:"service"`
	Severity  Severity   `json:"severity"`
	State     AlertState `json:"state"`
	Message   string     `json:"message"`             // one line, for people
	Value     float64    `json:"value"`               // in the rule's own unit: a fraction of Max, a count
	Threshold float64    `json:"threshold"`           // in the same unit
	Victims   []Victim   `json:"victims,omitempty"`   // of oom-kill
	Waiting   string     `json:"waiting,omitempty"`   // what is not done yet and why: "restart in 4m10s: cool-down"
	LatencyNs int64      `json:"latencyNs,omitempty"` // from the kernel's wake-up to the decision; 0 when sampled
	Since     Instant    `json:"since"`
	Updated   Instant    `json:"updated"`
	Ended     *Instant   `json:"ended"` // null while firing
}

// ActionKind names what memsupd can do.
type ActionKind string

// The actions. Reclaim, gc, snapshot and scale find their place here.
const (
	Restart     ActionKind = "restart"
	ApplyLimits ActionKind = "apply-limits" // have systemd apply what its manager believes
)

// Outcome is how an action ended.
type Outcome string

// The outcomes of an action.
const (
	Succeeded  Outcome = "succeeded"
	Unfinished Outcome = "failed"      // it was tried and did not have its effect
	NotStarted Outcome = "not-started" // memsupd ended before it reached systemd
	Skipped    Outcome = "skipped"     // there was nothing to do
)

// Action is something to do to a service. It is recorded before it is done.
type Action struct {
	ID      string     `json:"id"` // "api-server/restart/7"
	Kind    ActionKind `json:"kind"`
	Service string     `json:"service"`
	Reason  string     `json:"reason"` // why, in words, with the figures
	Alert   string     `json:"alert"`  // the alert that led to it, or ""
	By      string     `json:"by"`     // "memsupd", or who asked
	// Before is the incarnation that the action is to end, by which a daemon
	// that comes back can tell whether it happened.
	Before  string  `json:"before"`
	Started Instant `json:"started"`
}

// ActionRecord is an action with its end.
type ActionRecord struct {
	Action
	Outcome Outcome       `json:"outcome"`
	Detail  string        `json:"detail,omitempty"`
	Took    time.Duration `json:"tookNs"`
	Ended   Instant       `json:"ended"`
}

// Decision is what the engine wants: an alert made known, an action begun, or
// an event noted. Exactly one of Alert, Begin and Note is set.
type Decision struct {
	At      Instant
	Service string
	Alert   *Alert        // raised, changed or resolved
	Begin   *Action       // to be done now
	End     *ActionRecord // an action that has ended, for the record
	Note    *Note
}

// Note is something worth recording that is neither an alert nor an action: a
// drop-in changed a limit, a unit was adopted, systemd restarted it by itself.
type Note struct {
	Kind    string `json:"kind"` // "adopted", "limits-changed", "unit-changed", "refused"
	Message string `json:"message"`
}
