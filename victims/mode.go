package victims

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"
)

// Mode is how the number of pods that die in one kill is found.
type Mode string

// The modes, where n is the number of candidates and v the value.
const (
	Fixed            Mode = "fixed"              // v pods
	FixedPercent     Mode = "fixed-percent"      // v % of n, rounded half up, at least one
	RandomMaxPercent Mode = "random-max-percent" // the same for a percentage drawn uniformly from 1..v
	KillAll          Mode = "kill-all"           // n pods, also those that are not Ready
	PDB              Mode = "pdb"                // as many as the PodDisruptionBudget still allows, by eviction
)

// Scale is a mode and its value: how many pods die in one kill.
type Scale struct {
	Mode  Mode
	Value int
}

// ParseScale reads a mode and a value as their labels have them; where value is nil, fixed takes 1. An error says what
// would be right.
func ParseScale(mode string, value *int) (Scale, error) {
	s := Scale{Mode: Mode(mode)}
	switch s.Mode {
	case Fixed:
		s.Value = 1
		if value != nil {
			s.Value = *value
		}
		if s.Value < 1 {
			return s, fmt.Errorf("kill value %d: want a number of pods, 1 or more, for kill mode fixed", s.Value)
		}
	case FixedPercent, RandomMaxPercent:
		if value == nil || *value < 1 || *value > 100 {
			return s, fmt.Errorf("kill value: want a percentage from 1 to 100 for kill mode %s", mode)
		}
		s.Value = *value
	case KillAll, PDB:
		if value != nil {
			return s, fmt.Errorf("kill value %d: want none for kill mode %s", *value, mode)
		}
	default:
		return s, fmt.Errorf("kill mode %q: want %s, %s, %s, %s or %s", mode, Fixed, FixedPercent, RandomMaxPercent, KillAll, PDB)
	}
	return s, nil
}

// Choose draws the pods that die, without replacement and each with equal probability. For mode pdb, allowed is how many
// disruptions the budget allows.
func (s Scale) Choose(candidates []Pod, allowed int, random rand.Source) []Pod {
	n := min(s.count(len(candidates), allowed, random), len(candidates))
	chosen := slices.Clone(candidates)
	for i := range n { // the first n steps of a Fisher-Yates shuffle
		j := i + below(random, len(chosen)-i)
		chosen[i], chosen[j] = chosen[j], chosen[i]
	}
	return chosen[:n]
}

func (s Scale) count(n, allowed int, random rand.Source) int {
	switch s.Mode {
	case FixedPercent:
		return percent(n, s.Value)
	case RandomMaxPercent:
		return percent(n, 1+below(random, s.Value))
	case KillAll:
		return n
	case PDB:
		return max(0, allowed)
	default:
		return s.Value
	}
}

// percent is v % of n, rounded half up, at least one.
func percent(n, v int) int { return max(1, (n*v+50)/100) }

// below draws uniformly from 0..n-1, by the multiplication method of Lemire, Fast Random Integer Generation in an
// Interval, 2019. It is written out here because what it draws from a given source must never change.
func below(random rand.Source, n int) int {
	bound := uint64(n)
	high, low := bits.Mul64(random.Uint64(), bound)
	if low < bound {
		for threshold := -bound % bound; low < threshold; {
			high, low = bits.Mul64(random.Uint64(), bound)
		}
	}
	return int(high)
}
