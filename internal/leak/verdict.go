package leak

import (
	"fmt"
	"math"
	"time"
)

// Verdict is what a detector thinks of a service.
type Verdict struct {
	Suspected bool
	Class     Class         // the kind that grows most
	Rate      Interval      // growth, in bytes a minute, of all kinds that grow
	Over      time.Duration // for how long the floors have risen like that
	Urgent    bool          // found in a few minutes, because the limit is that near
	ToLimit   Forecast      // when the limit will be hit, from the newest sample on
}

// Interval is an estimate and its 95 % confidence interval.
type Interval struct{ Value, Low, High float64 }

// Forecast is a time to come and the interval it lies in. It is not Known without a
// limit, nor when what leaks goes to swap.
type Forecast struct {
	Known            bool
	Value, Low, High time.Duration
}

const horizon = 366 * 24 * time.Hour // no forecast is longer

// Evidence is the verdict in words, for people: "rising floors for 3 h 10 min,
// 1.9 ± 0.1 MB/min, anon". MB are 2^20 bytes.
func (v Verdict) Evidence() string {
	if !v.Suspected {
		return "no leak is suspected"
	}
	const mb = 1 << 20
	text := fmt.Sprintf("rising floors for %s, %s MB/min, %s", span(v.Over),
		figure(v.Rate.Value/mb, (v.Rate.High-v.Rate.Low)/2/mb), v.Class)
	if v.ToLimit.Known {
		text += ", at the limit in " + span(v.ToLimit.Value)
	}
	return text
}

// figure writes a value with its error, both to the digits that the error leaves.
func figure(value, err float64) string {
	digits := 1
	if small := math.Min(math.Abs(value), math.Max(err, math.Abs(value)/100)); small > 0 {
		digits = min(4, max(0, int(math.Ceil(-math.Log10(small)))))
	}
	return fmt.Sprintf("%.*f ± %.*f", digits, value, digits, err)
}

func span(d time.Duration) string {
	d = d.Round(time.Minute)
	h, m := int(d/time.Hour), int(d%time.Hour/time.Minute)
	switch {
	case h >= 48:
		return fmt.Sprintf("%d d", h/24)
	case h > 0 && m > 0:
		return fmt.Sprintf("%d h %d min", h, m)
	case h > 0:
		return fmt.Sprintf("%d h", h)
	default:
		return fmt.Sprintf("%d min", m)
	}
}
