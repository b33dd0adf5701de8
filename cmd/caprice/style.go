package main

import (
	"io"
	"os"

	"golang.org/x/term"
)

// style paints words on a terminal. What it returns is longer than the word by the same length, whatever the colour, so that
// painted cells of a table stay in line.
type style struct{ colours bool }

// styleOf paints on a terminal, unless NO_COLOR is set to anything: no-color.org.
func styleOf(w io.Writer) style {
	file, ok := w.(*os.File)
	return style{ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(file.Fd()))}
}

func (s style) paint(code, word string) string {
	if !s.colours {
		return word
	}
	return "\x1b[" + code + "m" + word + "\x1b[0m"
}

func (s style) good(word string) string  { return s.paint("32", word) }
func (s style) bad(word string) string   { return s.paint("31", word) }
func (s style) bold(word string) string  { return s.paint("01", word) }
func (s style) plain(word string) string { return s.paint("39", word) }
func (s style) warn(word string) string  { return s.paint("33", word) }
