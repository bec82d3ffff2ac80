// Package api is memsupd's REST interface as others see it: the OpenAPI document
// and the values that it adds to those of internal/service.
package api

import (
	_ "embed"

	"github.com/memsup/memsup/internal/limit"
	"github.com/memsup/memsup/internal/service"
)

// Document is openapi.yaml.
//
//go:embed openapi.yaml
var Document []byte

// Services is the answer of GET /metrics.
type Services struct {
	Services []service.Status `json:"services"`
}

// Service is the answer of GET /metrics/{service}: its status with Statistics
// beside the other fields.
type Service struct {
	service.Status
	Statistics Statistics `json:"statistics"`
}

// Statistics sum up the newest samples of a service. Sizes are bytes; what there
// are too few samples for is nil.
type Statistics struct {
	Samples       int     `json:"samples"`
	WindowSeconds float64 `json:"windowSeconds"` // from the oldest sample to the newest
	// The newest sample; nil when the service does not run.
	Current    *uint64 `json:"current"`
	WorkingSet *uint64 `json:"workingSet"`
	// Of the working set, over the window.
	Min  *uint64  `json:"min"`
	Max  *uint64  `json:"max"`
	Mean *float64 `json:"mean"`
	P95  *uint64  `json:"p95"`
	// GrowthRate is the slope of the least-squares line through the working set,
	// in MB (1048576 bytes) a minute; nil below three samples.
	GrowthRate *float64 `json:"growthRate"`

	Limit limit.Value `json:"limit"` // memory.max
	Usage *float64    `json:"usage"` // the working set as a fraction of Limit; nil without either
}

// RestartRequest is the body of POST /restart/{service}, which may be left out.
type RestartRequest struct {
	Reason string `json:"reason"`
}

// MaxReason is how many characters of a reason are taken.
const MaxReason = 200

// Problem is the body of every error (RFC 9457). Its type is about:blank: the
// status says what kind of problem it is.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`  // the words of the status
	Status int    `json:"status"` // as in the status line
	Detail string `json:"detail"` // what is wrong and what to do about it
}
