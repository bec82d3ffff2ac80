package alert

// Mark is a threshold with hysteresis, so that a value that trembles about the
// threshold raises one alert and not hundreds.
type Mark struct {
	Raise float64 // crossed at or above
	Clear float64 // uncrossed below; at most Raise
}

// Over reports whether the mark is crossed by v, given that it was before.
func (m Mark) Over(was bool, v float64) bool {
	if was {
		return v >= m.Clear
	}
	return v >= m.Raise
}
