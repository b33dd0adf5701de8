package kubernetes

import (
	"context"
	"fmt"
	"os"
	"sync"
)

// mostWarnings is how many warnings of the API server's are known, so that each is told once.
const mostWarnings = 100

// warnings tells what the API server warns of, once: each answer may have the same.
type warnings struct {
	mu   sync.Mutex
	told map[string]bool
}

// HandleWarningHeaderWithContext tells of a warning, which has code 299 by RFC 7234 as the API server writes it.
func (w *warnings) HandleWarningHeaderWithContext(_ context.Context, code int, _, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if code != 299 || text == "" || w.told[text] {
		return
	}
	if len(w.told) >= mostWarnings {
		clear(w.told) // they name objects, it may be
	}
	if w.told == nil {
		w.told = map[string]bool{}
	}
	w.told[text] = true
	fmt.Fprintf(os.Stderr, "Warning: %s\n", text)
}
