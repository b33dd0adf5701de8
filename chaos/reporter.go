package chaos

import (
	"time"

	"caprice/calendar"
)

// Reporter tells people. It must not block.
type Reporter interface {
	// Killed is called for each pod when it is known to have been killed, and once more by whoever carries on what an earlier
	// leader left open; not in a dry run.
	Killed(Record, Death)
	// Ended is called once for each kill, when its record says how it ended; not for one whose record was restored.
	Ended(Outcome)
	// Unrecorded is called for a kill that has ended, or is under way, and whose record cannot be written. Ended may follow if it is in
	// the end.
	Unrecorded(Outcome, error)
	// Trouble is called for what cannot be done now and is tried again.
	Trouble(what string, err error)
	// Planned is called when a working day opens.
	Planned(DayPlan)
}

// DayPlan is how much is planned for one date.
type DayPlan struct {
	Made      time.Time
	Date      calendar.Date
	Kills     int
	Workloads int // that opted in, with kills on that date or without
}
