package leak

import (
	"math"
	"slices"
)

const buckets = 12 // points of a line, at most

// line is points in time, x in slots and rising, y in bytes.
type line struct {
	x, y [buckets]float64
	n    int
}

func (l *line) add(x, y float64) { l.x[l.n], l.y[l.n], l.n = x, y, l.n+1 }

// tau is Kendall's rank correlation with time (Kendall 1938, Mann 1945): 1 when each
// point is above all points before it. A tie counts for neither side.
func (l *line) tau() float64 {
	s := 0
	for i := 1; i < l.n; i++ {
		for j := range i {
			switch {
			case l.y[i] > l.y[j]:
				s++
			case l.y[i] < l.y[j]:
				s--
			}
		}
	}
	return float64(s) / float64(l.n*(l.n-1)/2)
}

// slope is a growth with its 95 % confidence interval, in bytes a slot.
type slope struct{ mid, low, high float64 }

// slope is the median of the slopes of all pairs of points (Theil 1950); the interval
// are the slopes as far from it as the variance of Kendall's S says (Sen 1968).
func (l *line) slope() slope {
	var all [buckets * (buckets - 1) / 2]float64
	m := 0
	for i := 1; i < l.n; i++ {
		for j := range i {
			all[m] = (l.y[i] - l.y[j]) / (l.x[i] - l.x[j])
			m++
		}
	}
	s := all[:m]
	slices.Sort(s)
	n := float64(l.n)
	c := 1.96 * math.Sqrt(n*(n-1)*(2*n+5)/18)
	low, high := int((float64(m)-c)/2), int((float64(m)+c)/2)
	return slope{median(s), s[max(0, low)], s[min(m-1, high)]}
}

// scatter is how far the points lie from a line of slope b, in bytes: the median
// absolute residual, scaled to the standard deviation of a normal distribution.
func (l *line) scatter(b float64) float64 {
	var all [buckets]float64
	s := all[:l.n]
	for i := range s {
		s[i] = l.y[i] - b*l.x[i]
	}
	slices.Sort(s)
	mid := median(s)
	for i := range s {
		s[i] = math.Abs(s[i] - mid)
	}
	slices.Sort(s)
	return 1.4826 * median(s)
}

// without is the growth from the first point to the last less its n largest steps.
func (l *line) without(n int) float64 {
	var all [buckets]float64
	s := all[:l.n-1]
	for i := range s {
		s[i] = l.y[i+1] - l.y[i]
	}
	slices.Sort(s)
	sum := 0.0
	for _, step := range s[:max(0, len(s)-n)] {
		sum += step
	}
	return sum
}

// halves returns the slopes from the mean of the first third of the points to that of
// the middle, and from there to that of the last third.
func (l *line) halves() (early, late float64) {
	third := l.n / 3
	x1, y1 := mean(l.x[:third]), mean(l.y[:third])
	x2, y2 := mean(l.x[third:l.n-third]), mean(l.y[third:l.n-third])
	x3, y3 := mean(l.x[l.n-third:l.n]), mean(l.y[l.n-third:l.n])
	return (y2 - y1) / (x2 - x1), (y3 - y2) / (x3 - x2)
}

// tail is the slope of the last n steps.
func (l *line) tail(n int) float64 {
	i, j := l.n-1-n, l.n-1
	return (l.y[j] - l.y[i]) / (l.x[j] - l.x[i])
}

func mean(s []float64) float64 {
	sum := 0.0
	for _, v := range s {
		sum += v
	}
	return sum / float64(len(s))
}

// median returns the median of sorted values.
func median(s []float64) float64 {
	h := len(s) / 2
	if len(s)%2 == 1 {
		return s[h]
	}
	return (s[h-1] + s[h]) / 2
}
