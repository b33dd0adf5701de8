package chaos

import "testing"

func TestWhatOthersWroteIsOneLine(t *testing.T) {
	for _, test := range []struct{ why, text, want string }{
		{"plain text stays", "größer, 大 🙂", "größer, 大 🙂"},
		{"line ends", "a\r\nb\u2028c\u2029d", "a  b c d"},
		{"what a terminal takes for an order", "\x1b[2Jgone\a\x7f\u009b", " [2Jgone   "},
		{"what turns the direction", "a\u202eb\u2066c\u200bd\ufeff", "a b c d "},
	} {
		if got := OneLine(test.text); got != test.want {
			t.Errorf("%s: %q, want %q", test.why, got, test.want)
		}
	}
}
