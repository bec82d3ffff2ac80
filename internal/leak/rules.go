package leak

// What speaks for a leak. Growth of size G against headroom H that lasted for D counts
// as D·G/H, at most D, and must use up the patience. A leak that needs T to fill the
// headroom is found at about the geometric mean of patience and T, well before half of
// the time has gone; a rise that is small against what is left must go on for hours.
//
// Only the two patiences were chosen by trial, and between 55 and 90 minutes hardly
// anything depends on the first. Other values moved by a fifth change a trace or two.
const (
	patience     = 65.0 // minutes, from the start of a run on: services warm up
	patienceFlat = 40.0 // minutes, where a flat stretch was seen first
	busier       = 1.3  // CPU use from the first third of a window to the last: more patience

	minTau    = 0.9  // Kendall's correlation: 3 of 66 pairs may be out of order
	minRise   = 0.02 // growth against the limit
	minSteady = 0.55 // of the growth, left without its two largest steps
	minLate   = 0.75 // later against earlier slope: a filling cache slows down
	minTail   = 0.65 // slope of the last quarter against all
	minNews   = 0.7  // of the growth, above what has been there before
	nearLimit = 0.88 // of the limit in use: the short rule looks
)
