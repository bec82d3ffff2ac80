package leak

import "testing"

func lineOf(y ...float64) (l line) {
	for i, v := range y {
		l.add(float64(i), v)
	}
	return l
}

func TestTau(t *testing.T) {
	for name, tc := range map[string]struct {
		line line
		want float64
	}{
		"rising":       {lineOf(1, 2, 3, 4), 1},
		"falling":      {lineOf(4, 3, 2, 1), -1},
		"flat":         {lineOf(2, 2, 2, 2), 0},
		"one swapped":  {lineOf(1, 3, 2, 4), 4.0 / 6},
		"ties":         {lineOf(1, 1, 2, 2), 4.0 / 6},
		"scale has no": {lineOf(1e-9, 1, 1e9, 1e18), 1},
	} {
		if got := tc.line.tau(); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

func TestSlopeShrugsOffOutliers(t *testing.T) {
	l := lineOf(0, 3, 6, 9, 500, 15, 18, 21, -80, 27, 30, 33)
	if b := l.slope(); b.mid != 3 || b.low > 3 || b.high < 3 {
		t.Errorf("slope %+v, want 3 within its interval", b)
	}
	if s := l.scatter(3); s != 0 {
		t.Errorf("scatter %v of points of which ten of twelve lie on the line", s)
	}
}

// Sen's interval widens with the noise, and tells a trend from none.
func TestSlopeInterval(t *testing.T) {
	straight := lineOf(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
	noisy := lineOf(0, 3, 0, 5, 2, 7, 4, 9, 6, 11, 8, 13)
	none := lineOf(5, 3, 6, 4, 5, 3, 6, 4, 5, 3, 6, 4)
	a, b, c := straight.slope(), noisy.slope(), none.slope()
	if a.low != 1 || a.high != 1 {
		t.Errorf("a straight line: %+v", a)
	}
	if b.low <= 0 || b.low >= b.mid || b.high <= b.mid {
		t.Errorf("a noisy trend: %+v", b)
	}
	if c.low > 0 || c.high < 0 {
		t.Errorf("no trend: %+v", c)
	}
}

func TestWithoutTheLargestSteps(t *testing.T) {
	l := lineOf(0, 1, 11, 12, 32, 33)
	if got := l.without(2); got != 3 {
		t.Errorf("%v, want 3: the growth but for steps of 10 and 20", got)
	}
}
