package calendar

import (
	"fmt"
	"time"
)

// Zone is an IANA time zone. The zero Zone is UTC.
type Zone struct {
	loc *time.Location
}

// Location returns the zone as package time knows it.
func (z Zone) Location() *time.Location {
	if z.loc == nil {
		return time.UTC
	}
	return z.loc
}

// String returns the zone's IANA name.
func (z Zone) String() string { return z.Location().String() }

// UnmarshalText reads an IANA name. It refuses the empty name and Local, which mean something else on each machine.
func (z *Zone) UnmarshalText(b []byte) error {
	name := string(b)
	loc, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		return fmt.Errorf("time zone %q: want an IANA name, as in Europe/Berlin or UTC", name)
	}
	z.loc = loc
	return nil
}
