package chaos

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestTroubleIsToldOfOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all troubles
		told := &notes{}
		for second := range 150 {
			all.tell(told, "reading records", errors.New("no answer"))
			if second == 10 {
				all.tell(told, "writing records", errors.New("no answer"))
			}
			time.Sleep(time.Second)
		}
		if told.troubles != 4 {
			t.Errorf("told %d times within two and a half minutes, want 3 of what lasts and 1 of what comes beside it", told.troubles)
		}
	})
}
