package main

import (
	"errors"
	"slices"
	"strings"
)

// choice is a flag whose value is one of a few words, the first by default. It is a pflag.Value.
type choice[T ~string] struct {
	value *T
	words []T
}

// oneOf has a flag choose a value among words, the first by default.
func oneOf[T ~string](value *T, words ...T) choice[T] {
	*value = words[0]
	return choice[T]{value, words}
}

// Set reads the value of the flag.
func (c choice[T]) Set(text string) error {
	if !slices.Contains(c.words, T(text)) {
		words, last := c.texts(), len(c.words)-1
		return errors.New("want " + strings.Join(words[:last], ", ") + " or " + words[last])
	}
	*c.value = T(text)
	return nil
}

// String returns the value of the flag.
func (c choice[T]) String() string {
	if c.value == nil { // pflag asks a zero one what is the default of its type
		return ""
	}
	return string(*c.value)
}

// Type is what the help calls the flag's values.
func (c choice[T]) Type() string { return strings.Join(c.texts(), "|") }

func (c choice[T]) texts() []string {
	texts := make([]string, len(c.words))
	for i, word := range c.words {
		texts[i] = string(word)
	}
	return texts
}
