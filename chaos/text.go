package chaos

import (
	"strings"
	"unicode"
)

// OneLine returns what others wrote as one line for people: without line ends, and without what a terminal takes for an order or what turns
// the direction of a line. A space takes the place of each.
func OneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
			return ' '
		}
		return r
	}, text)
}
