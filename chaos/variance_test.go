package chaos

import (
	"math"
	"testing"
)

// variance is that of the number of kills on a day of length w, with minimum c, both in units of the mean: for c = 1, where
// kills are as regular as a clock, f(1-f) with f the fraction of w; otherwise
//
//	w + 2 * integral of H over [0, w] - w², H(t) = sum over k of P(Gamma(k, 1-c) <= t - k c),
//
// with H the expected number of kills within t after a kill (Cox, Renewal Theory, 1962, chapter 4). A long day takes its
// expansion in w, the rest of which vanishes faster than any power of w:
//
//	w s² + 1/6 + s⁴/2 - μ/3, s = 1-c the standard deviation of the gaps, μ = 2s³ their third central moment.
func variance(w, c float64) float64 {
	switch {
	case c == 1:
		f := w - math.Floor(w)
		return f * (1 - f)
	case w > 40:
		return expansion(w, c)
	default:
		return integral(w, c)
	}
}

func expansion(w, c float64) float64 {
	s := 1 - c
	return w*s*s + 1./6 + s*s*s*s/2 - 2*s*s*s/3
}

func integral(w, c float64) float64 {
	steps := 1000 + 40*math.Ceil(w)
	sum := 0.0
	for i := range int(steps) {
		t := (float64(i) + 0.5) * w / steps
		for k := 1; ; k++ {
			p := gammaCDF(k, (t-float64(k)*c)/(1-c))
			if p < 1e-12 {
				break
			}
			sum += p
		}
	}
	return w + 2*sum*w/steps - w*w
}

// gammaCDF is P(Gamma(k, 1) <= x), by way of the Poisson distribution.
func gammaCDF(k int, x float64) float64 {
	if x <= 0 {
		return 0
	}
	term, sum := math.Exp(-x), 0.0
	for i := range k {
		sum += term
		term *= x / float64(i+1)
	}
	return 1 - sum
}

func TestTheVariance(t *testing.T) {
	for _, test := range []struct {
		why        string
		w, c, want float64
	}{
		{"the design's example, m=2, c=1, W=5.5", 5.5 / 2, 0.5, 0.802},
		{"at most one kill: a coin", 0.3, 0.5, 0.3 * 0.7},
		{"without a minimum, Poisson", 7, 0, 7},
		{"as regular as a clock, a whole number", 3, 1, 0},
		{"as regular as a clock, f(1-f)", 2.75, 1, 0.75 * 0.25},
	} {
		t.Run(test.why, func(t *testing.T) {
			if got := variance(test.w, test.c); math.Abs(got-test.want) > 0.0005 {
				t.Errorf("variance = %.4f, want %.4f", got, test.want)
			}
		})
	}
}

// Where a long day takes over, integral and expansion are the same number.
func TestTheVarianceOfALongDay(t *testing.T) {
	for _, c := range []float64{0, 0.25, 0.5} {
		for _, w := range []float64{8, 20.3, 40} {
			if exact, got := integral(w, c), expansion(w, c); math.Abs(got-exact) > 0.002 {
				t.Errorf("w=%v, c=%v: expansion %.5f, integral %.5f", w, c, got, exact)
			}
		}
	}
}
