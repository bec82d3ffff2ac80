package limit

// Set is the limits of one cgroup, named as in the kernel without the
// "memory." prefix. A field that is absent was not read or not set.
type Set struct {
	Max     Value `json:"max"`     // memory.max, MemoryMax=: the hard limit
	High    Value `json:"high"`    // memory.high, MemoryHigh=: throttled and reclaimed above
	Low     Value `json:"low"`     // memory.low, MemoryLow=: protected below, best effort
	Min     Value `json:"min"`     // memory.min, MemoryMin=: protected below, always
	SwapMax Value `json:"swapMax"` // memory.swap.max, MemorySwapMax=
}

// Merge returns s with every absent field taken from base.
func (s Set) Merge(base Set) Set {
	for _, f := range []struct{ to, from *Value }{
		{&s.Max, &base.Max},
		{&s.High, &base.High},
		{&s.Low, &base.Low},
		{&s.Min, &base.Min},
		{&s.SwapMax, &base.SwapMax},
	} {
		if f.to.IsAbsent() {
			*f.to = *f.from
		}
	}
	return s
}
