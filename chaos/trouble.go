package chaos

import (
	"sync"
	"time"
)

// troubleAgain is how long after trouble was told of the same is told of again: what is tried each second may fail each second.
const troubleAgain = time.Minute

// troubles tells of what cannot be done now and is tried again.
type troubles struct {
	mu   sync.Mutex
	told map[string]time.Time // when, by what cannot be done
}

func (t *troubles) tell(report Reporter, what string, err error) {
	t.mu.Lock()
	last, before := t.told[what]
	again := !before || time.Since(last) >= troubleAgain
	if again {
		if t.told == nil {
			t.told = map[string]time.Time{}
		}
		t.told[what] = time.Now()
	}
	t.mu.Unlock()
	if again {
		report.Trouble(what, err)
	}
}
