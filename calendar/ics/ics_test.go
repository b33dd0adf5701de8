package ics

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"caprice/calendar"
)

var (
	from = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	to   = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
)

// file is a calendar of events, whose lines are separated by spaces or, if there is one, by newlines.
func file(events ...string) string {
	var b strings.Builder
	b.WriteString("BEGIN:VCALENDAR\nVERSION:2.0\n")
	for _, e := range events {
		sep := " "
		if strings.Contains(e, "\n") {
			sep = "\n"
		}
		fmt.Fprintf(&b, "BEGIN:VEVENT\n%s\nEND:VEVENT\n", strings.ReplaceAll(e, sep, "\n"))
	}
	b.WriteString("END:VCALENDAR\n")
	return b.String()
}

func berlin(t interface{ Fatal(...any) }) calendar.Zone {
	var zone calendar.Zone
	if err := zone.UnmarshalText([]byte("Europe/Berlin")); err != nil {
		t.Fatal(err)
	}
	return zone
}

func TestEventsAreWhenTheySay(t *testing.T) {
	for _, test := range []struct {
		why    string
		events []string
		want   string // windows in UTC: first instant/first that is out
	}{
		{"one day ends where the next begins", []string{"DTSTART;VALUE=DATE:20260304 DTEND;VALUE=DATE:20260305"}, "03-03T23:00:00/03-04T23:00:00"},
		{"DTEND is out", []string{"DTSTART;VALUE=DATE:20260304 DTEND;VALUE=DATE:20260306"}, "03-03T23:00:00/03-05T23:00:00"},
		{"without DTEND a date is one day", []string{"DTSTART;VALUE=DATE:20260304"}, "03-03T23:00:00/03-04T23:00:00"},
		{"a day that ends on itself is one day", []string{"DTSTART;VALUE=DATE:20260304 DTEND;VALUE=DATE:20260304"}, "03-03T23:00:00/03-04T23:00:00"},
		{"a date needs no VALUE", []string{"DTSTART:20260304"}, "03-03T23:00:00/03-04T23:00:00"},
		{"a day of 23 hours", []string{"DTSTART;VALUE=DATE:20260329"}, "03-28T23:00:00/03-29T22:00:00"},
		{"a day of 25 hours", []string{"DTSTART;VALUE=DATE:20261025"}, "10-24T22:00:00/10-25T23:00:00"},
		{"days as a duration", []string{"DTSTART;VALUE=DATE:20260328 DURATION:P1W"}, "03-27T23:00:00/04-03T22:00:00"},
		{"a time in UTC", []string{"DTSTART:20260304T100000Z DTEND:20260304T113000Z"}, "03-04T10:00:00/03-04T11:30:00"},
		{"a time in its own zone", []string{"DTSTART;TZID=America/New_York:20260304T100000 DTEND;TZID=America/New_York:20260304T110000"}, "03-04T15:00:00/03-04T16:00:00"},
		{"a zone in quotes", []string{`DTSTART;TZID="Asia/Tokyo":20260304T100000 DURATION:PT1H`}, "03-04T01:00:00/03-04T02:00:00"},
		{"a floating time is the cluster's", []string{"DTSTART:20260304T100000 DTEND:20260304T110000"}, "03-04T09:00:00/03-04T10:00:00"},
		{"from one zone to another", []string{"DTSTART;TZID=Europe/Berlin:20260304T100000 DTEND;TZID=Asia/Tokyo:20260304T190000"}, "03-04T09:00:00/03-04T10:00:00"},
		{"time as a duration", []string{"DTSTART:20260304T100000Z DURATION:P1DT2H30M15S"}, "03-04T10:00:00/03-05T12:30:15"},
		{"days of a duration follow the clock", []string{"DTSTART:20260328T100000 DURATION:P1D"}, "03-28T09:00:00/03-29T08:00:00"},
		{"names in small letters", []string{"dtstart;value=date:20260304 rrule:freq=daily;count=2"}, "03-03T23:00:00/03-04T23:00:00 03-04T23:00:00/03-05T23:00:00"},
		{"a name that is folded", []string{"DTSTART;VALUE=DATE:20260304\nrr\n ule:FREQ=DAILY;COUNT=2"}, "03-03T23:00:00/03-04T23:00:00 03-04T23:00:00/03-05T23:00:00"},
		{"always", []string{"DTSTART;VALUE=DATE:00010101 DTEND;VALUE=DATE:99991231"}, "01-01T00:00:00/12-30T23:00:00"},
		{"folded lines", []string{"DTSTART;VALUE=D\n ATE:2026\n\t0304"}, "03-03T23:00:00/03-04T23:00:00"},
		{"cancelled", []string{"DTSTART;VALUE=DATE:20260304 STATUS:CANCELLED"}, ""},
		{"transparent counts", []string{"DTSTART;VALUE=DATE:20260304 TRANSP:TRANSPARENT"}, "03-03T23:00:00/03-04T23:00:00"},
		{"tentative counts", []string{"DTSTART;VALUE=DATE:20260304 STATUS:TENTATIVE"}, "03-03T23:00:00/03-04T23:00:00"},

		{"day after day through spring", []string{"DTSTART;VALUE=DATE:20260328 RRULE:FREQ=DAILY;COUNT=3"}, "03-27T23:00:00/03-28T23:00:00 03-28T23:00:00/03-29T22:00:00 03-29T22:00:00/03-30T22:00:00"},
		{"the same time on the wall through spring", []string{"DTSTART;TZID=Europe/Berlin:20260328T100000 DURATION:PT1H RRULE:FREQ=DAILY;COUNT=2"}, "03-28T09:00:00/03-28T10:00:00 03-29T08:00:00/03-29T09:00:00"},
		{"the same time in UTC stays", []string{"DTSTART:20260328T100000Z DURATION:PT1H RRULE:FREQ=DAILY;COUNT=2"}, "03-28T10:00:00/03-28T11:00:00 03-29T10:00:00/03-29T11:00:00"},
		{"the wall is the event's, not the cluster's", []string{"DTSTART;TZID=America/New_York:20260307T100000 DURATION:PT1H RRULE:FREQ=DAILY;COUNT=2"}, "03-07T15:00:00/03-07T16:00:00 03-08T14:00:00/03-08T15:00:00"},
		{"a time that does not exist is the jump", []string{"DTSTART:20260328T023000 DURATION:PT1H RRULE:FREQ=DAILY;UNTIL=20260329"}, "03-28T01:30:00/03-28T02:30:00 03-29T01:00:00/03-29T02:30:00"},
		{"an exception at the jump is not of what is skipped", []string{"DTSTART:20260328T023000 DURATION:PT1H RRULE:FREQ=DAILY;UNTIL=20260329 EXDATE:20260329T030000"}, "03-28T01:30:00/03-28T02:30:00 03-29T01:00:00/03-29T02:30:00"},
		{"an exception of what is skipped is", []string{"DTSTART:20260328T023000 DURATION:PT1H RRULE:FREQ=DAILY;UNTIL=20260329 EXDATE:20260329T023000"}, "03-28T01:30:00/03-28T02:30:00"},
		{"and also in UTC, by the clock of before", []string{"DTSTART:20260328T023000 DURATION:PT1H RRULE:FREQ=DAILY;UNTIL=20260329 EXDATE:20260329T013000Z"}, "03-28T01:30:00/03-28T02:30:00"},
		{"and ends as long after it as it would have", []string{"DTSTART;TZID=America/New_York:20260308T013000 DTEND;TZID=America/New_York:20260308T023000"}, "03-08T06:30:00/03-08T07:30:00"},
		{"as does one more in another zone that skips it", []string{"DTSTART;TZID=Europe/Berlin:20260302T100000 DURATION:PT1H RDATE;TZID=America/New_York:20260308T023000"}, "03-02T09:00:00/03-02T10:00:00 03-08T07:00:00/03-08T08:30:00"},
		{"and by DTEND", []string{"DTSTART:20260302T090000Z DTEND:20260302T100000Z RDATE;TZID=America/New_York:20260308T023000"}, "03-02T09:00:00/03-02T10:00:00 03-08T07:00:00/03-08T08:30:00"},
		{"both are skipped", []string{"DTSTART;TZID=America/New_York:20260308T021500 DTEND;TZID=America/New_York:20260308T024500"}, "03-08T07:00:00/03-08T07:45:00"},
		{"once more in the hour that comes twice", []string{"DTSTART;TZID=America/New_York:20261001T013000 DURATION:PT1H RDATE:20261101T063000Z"}, "10-01T05:30:00/10-01T06:30:00 11-01T06:30:00/11-01T07:30:00"},
		{"an hour by DTEND that begins the second time", []string{"DTSTART;TZID=America/New_York:20261001T013000 DTEND;TZID=America/New_York:20261001T023000 RDATE:20261101T063000Z"}, "10-01T05:30:00/10-01T06:30:00 11-01T06:30:00/11-01T07:30:00"},
		{"a day that begins the second time", []string{"DTSTART;TZID=America/New_York:20261001T013000 DURATION:P1D RDATE:20261101T063000Z"}, "10-01T05:30:00/10-02T05:30:00 11-01T06:30:00/11-02T06:30:00"},
		{"half an hour that ends the second time too", []string{"DTSTART;TZID=America/New_York:20261001T011500 DTEND;TZID=America/New_York:20261001T014500 RDATE:20261101T061500Z"}, "10-01T05:15:00/10-01T05:45:00 11-01T06:15:00/11-01T06:45:00"},
		{"an hour that lasts to its end on the wall", []string{"DTSTART;TZID=Europe/Berlin:20261025T020000 DURATION:PT1H"}, "10-25T00:00:00/10-25T02:00:00"},
		{"fifty minutes of each hour, also of the one that comes twice", []string{"DTSTART;TZID=Europe/Berlin:20261025T010000 DURATION:PT50M RRULE:FREQ=HOURLY;COUNT=3"}, "10-24T23:00:00/10-24T23:50:00 10-25T00:00:00/10-25T00:50:00 10-25T01:00:00/10-25T01:50:00 10-25T02:00:00/10-25T02:50:00"},
		{"and by DTEND", []string{"DTSTART;TZID=Europe/Berlin:20261025T010000 DTEND;TZID=Europe/Berlin:20261025T015000 RRULE:FREQ=HOURLY;COUNT=3"}, "10-24T23:00:00/10-24T23:50:00 10-25T00:00:00/10-25T00:50:00 10-25T01:00:00/10-25T01:50:00 10-25T02:00:00/10-25T02:50:00"},
		{"and as hours of a day", []string{"DTSTART;TZID=Europe/Berlin:20261025T010000 DURATION:PT50M RRULE:FREQ=DAILY;BYHOUR=1,2,3;COUNT=3"}, "10-24T23:00:00/10-24T23:50:00 10-25T00:00:00/10-25T00:50:00 10-25T01:00:00/10-25T01:50:00 10-25T02:00:00/10-25T02:50:00"},
		{"one time a day is the first", []string{"DTSTART;TZID=Europe/Berlin:20261024T020000 DURATION:PT50M RRULE:FREQ=DAILY;COUNT=2"}, "10-24T00:00:00/10-24T00:50:00 10-25T00:00:00/10-25T00:50:00"},
		{"what ends in the hour that comes twice goes on in it", []string{"DTSTART;TZID=Europe/Berlin:20261025T010000 DURATION:PT90M RRULE:FREQ=HOURLY;INTERVAL=3;COUNT=2"}, "10-24T23:00:00/10-25T00:30:00 10-25T01:00:00/10-25T01:30:00 10-25T03:00:00/10-25T04:30:00"},
		{"UNTIL is between the two", []string{"DTSTART;TZID=Europe/Berlin:20261025T010000 DURATION:PT50M RRULE:FREQ=HOURLY;UNTIL=20261025T005959Z"}, "10-24T23:00:00/10-24T23:50:00 10-25T00:00:00/10-25T00:50:00"},
		{"an exception of the second", []string{"DTSTART;TZID=Europe/Berlin:20261025T010000 DURATION:PT50M RRULE:FREQ=HOURLY;COUNT=3 EXDATE:20261025T010000Z"}, "10-24T23:00:00/10-24T23:50:00 10-25T00:00:00/10-25T00:50:00 10-25T02:00:00/10-25T02:50:00"},
		{"an exception is of the first", []string{"DTSTART;TZID=Europe/Berlin:20261025T010000 DURATION:PT50M RRULE:FREQ=HOURLY;COUNT=3 EXDATE;TZID=Europe/Berlin:20261025T020000"}, "10-24T23:00:00/10-24T23:50:00 10-25T01:00:00/10-25T01:50:00 10-25T02:00:00/10-25T02:50:00"},
		{"also where each lasts to the next", []string{"DTSTART;TZID=Europe/Berlin:20261025T010000 DURATION:PT1H RRULE:FREQ=HOURLY;COUNT=3 EXDATE;TZID=Europe/Berlin:20261025T020000"}, "10-24T23:00:00/10-25T00:00:00 10-25T01:00:00/10-25T02:00:00 10-25T02:00:00/10-25T03:00:00"},
		{"half an hour that comes twice", []string{"DTSTART;TZID=Australia/Lord_Howe:20260405T000000 DURATION:PT50M RRULE:FREQ=HOURLY;COUNT=3"}, "04-04T13:00:00/04-04T13:50:00 04-04T14:00:00/04-04T14:50:00 04-04T15:00:00/04-04T15:20:00 04-04T15:30:00/04-04T16:20:00"},
		{"a day in hours, where the clock is put back", []string{"DTSTART;TZID=Europe/Berlin:20261024T100000 DURATION:PT24H RRULE:FREQ=DAILY;COUNT=2"}, "10-24T08:00:00/10-25T09:00:00 10-25T09:00:00/10-26T09:00:00"},
		{"and where it is put forward: no less than it takes", []string{"DTSTART;TZID=Europe/Berlin:20260328T100000 DURATION:PT24H"}, "03-28T09:00:00/03-29T09:00:00"},
		{"days and hours", []string{"DTSTART;TZID=Europe/Berlin:20261024T020000 DURATION:P1DT1H"}, "10-24T00:00:00/10-25T02:00:00"},
		{"a time that is skipped is closed, and not counted", []string{"DTSTART;TZID=Europe/Berlin:20260327T023000 DURATION:PT3H RRULE:FREQ=DAILY;COUNT=4"}, "03-27T01:30:00/03-27T04:30:00 03-28T01:30:00/03-28T04:30:00 03-29T01:00:00/03-29T04:30:00 03-30T00:30:00/03-30T03:30:00 03-31T00:30:00/03-31T03:30:00"},
		{"nor is it of hours", []string{"DTSTART;TZID=Europe/Berlin:20260329T003000 DURATION:PT10M RRULE:FREQ=HOURLY;COUNT=5"}, "03-28T23:30:00/03-28T23:40:00 03-29T00:30:00/03-29T00:40:00 03-29T01:00:00/03-29T01:40:00 03-29T01:30:00/03-29T01:40:00 03-29T02:30:00/03-29T02:40:00 03-29T03:30:00/03-29T03:40:00"},
		{"nor as the first", []string{"DTSTART;TZID=Europe/Berlin:20260329T023000 DURATION:PT1H RRULE:FREQ=DAILY;COUNT=1"}, "03-29T01:00:00/03-29T02:30:00 03-30T00:30:00/03-30T01:30:00"},
		{"of days the hours do not count", []string{"DTSTART;VALUE=DATE:20260309 RRULE:FREQ=DAILY;COUNT=2;BYHOUR=9;BYMINUTE=30"}, "03-08T23:00:00/03-09T23:00:00 03-09T23:00:00/03-10T23:00:00"},
		{"a day that lasts no time is a day", []string{"DTSTART;VALUE=DATE:20260304 DURATION:P0D"}, "03-03T23:00:00/03-04T23:00:00"},
		{"UNTIL an instant of a day has that day in", []string{"DTSTART;VALUE=DATE:20260310 RRULE:FREQ=DAILY;UNTIL=20260311T000000Z"}, "03-09T23:00:00/03-10T23:00:00 03-10T23:00:00/03-11T23:00:00"},
		{"the 52nd week goes on in January", []string{"DTSTART;VALUE=DATE:20201225 RRULE:FREQ=YEARLY;BYWEEKNO=52;BYDAY=FR;WKST=SA"}, "01-01T23:00:00/01-02T23:00:00 12-31T23:00:00/01-01T23:00:00"},
		{"a night that is longer on the wall", []string{"DTSTART:20261023T220000 DTEND:20261024T060000 RRULE:FREQ=DAILY;COUNT=2"}, "10-23T20:00:00/10-24T04:00:00 10-24T20:00:00/10-25T05:00:00"},
		{"a night that is shorter on the wall", []string{"DTSTART:20260327T220000 DTEND:20260328T060000 RRULE:FREQ=DAILY;COUNT=2"}, "03-27T21:00:00/03-28T05:00:00 03-28T21:00:00/03-29T05:00:00"},
		{"UNTIL a date has it in", []string{"DTSTART;VALUE=DATE:20260304 RRULE:FREQ=WEEKLY;UNTIL=20260311"}, "03-03T23:00:00/03-04T23:00:00 03-10T23:00:00/03-11T23:00:00"},
		{"UNTIL an instant has it in", []string{"DTSTART:20260304T100000Z DURATION:PT1H RRULE:FREQ=DAILY;UNTIL=20260305T100000Z"}, "03-04T10:00:00/03-04T11:00:00 03-05T10:00:00/03-05T11:00:00"},
		{"UNTIL the instant before has it out", []string{"DTSTART:20260304T100000Z DURATION:PT1H RRULE:FREQ=DAILY;UNTIL=20260305T095959Z"}, "03-04T10:00:00/03-04T11:00:00"},
		{"a day of the year, since long ago", []string{"DTSTART;VALUE=DATE:16040229 RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1"}, "02-27T23:00:00/02-28T23:00:00"},
		{"the last Friday of the month", []string{"DTSTART:20251128T120000Z DURATION:PT1H RRULE:FREQ=MONTHLY;BYDAY=-1FR;COUNT=4"}, "01-30T12:00:00/01-30T13:00:00 02-27T12:00:00/02-27T13:00:00"},
		{"every other week", []string{"DTSTART;VALUE=DATE:20260302 RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE;COUNT=3"}, "03-01T23:00:00/03-02T23:00:00 03-03T23:00:00/03-04T23:00:00 03-15T23:00:00/03-16T23:00:00"},
		{"every second, a few times", []string{"DTSTART:20260304T100000Z DURATION:PT1S RRULE:FREQ=SECONDLY;INTERVAL=30;COUNT=2"}, "03-04T10:00:00/03-04T10:00:01 03-04T10:00:30/03-04T10:00:31"},
		{"DTSTART counts even beside its rule", []string{"DTSTART;VALUE=DATE:20260304 RRULE:FREQ=YEARLY;BYMONTH=5;BYMONTHDAY=1"}, "03-03T23:00:00/03-04T23:00:00 04-30T22:00:00/05-01T22:00:00"},
		{"plain and numbered weekdays are a union", []string{"DTSTART;VALUE=DATE:20260102 RRULE:FREQ=MONTHLY;BYDAY=FR,-1TH;COUNT=7"}, "01-01T23:00:00/01-02T23:00:00 01-08T23:00:00/01-09T23:00:00 01-15T23:00:00/01-16T23:00:00 01-22T23:00:00/01-23T23:00:00 01-28T23:00:00/01-29T23:00:00 01-29T23:00:00/01-30T23:00:00 02-05T23:00:00/02-06T23:00:00"},
		{"of the year's Mondays and its last Friday the last two", []string{"DTSTART;VALUE=DATE:20261225 RRULE:FREQ=YEARLY;BYDAY=MO,-1FR;BYSETPOS=-1,-2"}, "12-24T23:00:00/12-25T23:00:00 12-27T23:00:00/12-28T23:00:00"},
		{"Thanksgiving, and each Friday of its month", []string{"DTSTART;VALUE=DATE:20261106 RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH,FR"}, "11-05T23:00:00/11-06T23:00:00 11-12T23:00:00/11-13T23:00:00 11-19T23:00:00/11-20T23:00:00 11-25T23:00:00/11-26T23:00:00 11-26T23:00:00/11-27T23:00:00"},
		{"a Friday, or the second Sunday, that is the 13th or 8th", []string{"DTSTART;VALUE=DATE:20260213 RRULE:FREQ=MONTHLY;BYMONTHDAY=8,13;BYDAY=FR,2SU;COUNT=4"}, "02-12T23:00:00/02-13T23:00:00 03-07T23:00:00/03-08T23:00:00 03-12T23:00:00/03-13T23:00:00 05-07T22:00:00/05-08T22:00:00"},
		{"RDATE adds", []string{"DTSTART;VALUE=DATE:20260304 RDATE;VALUE=DATE:20260401,20260402"}, "03-03T23:00:00/03-04T23:00:00 03-31T22:00:00/04-01T22:00:00 04-01T22:00:00/04-02T22:00:00"},
		{"EXDATE takes away", []string{"DTSTART:20260304T100000 DURATION:PT1H RRULE:FREQ=DAILY;COUNT=3 EXDATE:20260304T100000,20260306T090000Z"}, "03-05T09:00:00/03-05T10:00:00"},
		{"EXDATE at another time does not", []string{"DTSTART:20260304T100000 DURATION:PT1H EXDATE:20260304T100001"}, "03-04T09:00:00/03-04T10:00:00"},
		{"an occurrence that was moved", []string{"UID:a DTSTART:20260304T100000Z DURATION:PT1H RRULE:FREQ=DAILY;COUNT=2", "UID:a RECURRENCE-ID:20260305T100000Z DTSTART:20260305T150000Z DURATION:PT2H"}, "03-04T10:00:00/03-04T11:00:00 03-05T15:00:00/03-05T17:00:00"},
		{"an occurrence that takes longer and begins as it would", []string{"UID:a DTSTART:20260304T100000Z DURATION:PT1H RRULE:FREQ=DAILY;COUNT=2", "UID:a RECURRENCE-ID:20260305T100000Z DTSTART:20260305T100000Z DURATION:PT2H"}, "03-04T10:00:00/03-04T11:00:00 03-05T10:00:00/03-05T12:00:00"},
		{"an occurrence that was cancelled, before its event in the file", []string{"UID:a RECURRENCE-ID;VALUE=DATE:20260305 DTSTART;VALUE=DATE:20260305 STATUS:CANCELLED", "UID:a DTSTART;VALUE=DATE:20260304 RRULE:FREQ=DAILY;COUNT=2"}, "03-03T23:00:00/03-04T23:00:00"},
		{"another event's occurrence stays", []string{"UID:a DTSTART;VALUE=DATE:20260304", "UID:b RECURRENCE-ID;VALUE=DATE:20260304 DTSTART;VALUE=DATE:20260304 STATUS:CANCELLED"}, "03-03T23:00:00/03-04T23:00:00"},
		{"what reaches into the horizon", []string{"DTSTART:20251230T000000Z DTEND:20260101T000001Z"}, "12-30T00:00:00/01-01T00:00:01"},
		{"what ends as it begins does not", []string{"DTSTART:20251230T000000Z DTEND:20260101T000000Z"}, ""},
		{"what begins as it ends does not", []string{"DTSTART:20270101T000000Z DTEND:20270102T000000Z"}, ""},
		{"a rule that never finds a day", []string{"DTSTART;VALUE=DATE:20260304 RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}, "03-03T23:00:00/03-04T23:00:00"},
		{"an instant takes no time", []string{"DTSTART:20260304T100000Z"}, "03-04T10:00:00/03-04T10:00:00"},
	} {
		t.Run(test.why, func(t *testing.T) {
			masks, err := Read(strings.NewReader(file(test.events...)), "a.ics", berlin(t), from, to)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			seen := make(map[string]bool)
			for _, m := range masks {
				const form = "01-02T15:04:05"
				text := m.Open.UTC().Format(form) + "/" + m.Close.UTC().Format(form)
				if !seen[text] {
					got = append(got, text)
				}
				seen[text] = true
			}
			if text := strings.Join(got, " "); text != test.want {
				t.Errorf("%q:\n got %s\nwant %s", test.events, text, test.want)
			}
		})
	}
}

func TestWhatCannotBeReadIsRefused(t *testing.T) {
	many := strings.TrimSuffix(strings.Repeat("1,", 300), ",")
	for _, test := range []struct {
		why, text, want string
	}{
		{"no DTSTART", file("SUMMARY:Party"), `a.ics: event "Party": it has no DTSTART`},
		{"no SUMMARY: the UID names it", file("UID:42"), `event "42"`},
		{"neither", file("CLASS:PUBLIC"), `event "without SUMMARY or UID"`},
		{"a zone of Windows", file("UID:a\nDTSTART;TZID=W. Europe Standard Time:20260304T100000"), "want an IANA name"},
		{"the zone Local", file("UID:a DTSTART;TZID=Local:20260304T100000"), "want an IANA name"},
		{"a date there never is", file("UID:a DTSTART;VALUE=DATE:20260230"), "DTSTART: \"20260230\": want a date"},
		{"a time called a date", file("UID:a DTSTART;VALUE=DATE:20260304T100000"), "want a date"},
		{"fractions of seconds", file("UID:a DTSTART:20260304T100000.5Z"), "want a date"},
		{"two DTSTART", file("UID:a DTSTART:20260304T100000Z DTSTART:20260305T100000Z"), "DTSTART: it is there twice"},
		{"DTEND before DTSTART", file("UID:a DTSTART:20260304T100000Z DTEND:20260304T095959Z"), "DTEND is before DTSTART"},
		{"DTEND before DTSTART, in days", file("UID:a DTSTART:20260304 DTEND:20260303"), "DTEND is before DTSTART"},
		{"a date and a time", file("UID:a DTSTART:20260304 DTEND:20260304T100000Z"), "want both or neither"},
		{"DTEND and DURATION", file("UID:a DTSTART:20260304 DTEND:20260305 DURATION:P1D"), "want one of them"},
		{"a negative duration", file("UID:a DTSTART:20260304T100000Z DURATION:-PT1H"), "want time that does not run backwards"},
		{"an empty duration", file("UID:a DTSTART:20260304T100000Z DURATION:PT"), "as in P1D"},
		{"hours of a date", file("UID:a DTSTART:20260304 DURATION:PT5H"), "days if DTSTART is a date"},
		{"an unknown frequency", file("UID:a DTSTART:20260304 RRULE:FREQ=FORTNIGHTLY"), `RRULE "FREQ=FORTNIGHTLY": undefined frequency`},
		{"a rule without one", file("UID:a DTSTART:20260304 RRULE:COUNT=3"), "FREQ is required"},
		{"an UNTIL that is no time", file("UID:a DTSTART:20260304 RRULE:FREQ=DAILY;UNTIL=never"), "UNTIL"},
		{"a day that no month has", file("UID:a DTSTART:20260304 RRULE:FREQ=MONTHLY;BYDAY=53MO"), "it cannot be computed"},
		{"an hour that no day has", file("UID:a DTSTART:20260304T100000Z RRULE:FREQ=DAILY;BYHOUR=24"), "as in RFC 5545"},
		{"Easter", file("UID:a DTSTART:20260304 RRULE:FREQ=YEARLY;BYEASTER=0"), "want dates of its own"},
		{"every second since 1970", file("UID:a DTSTART:19700101T000000Z RRULE:FREQ=SECONDLY"), "recurs too often"},
		{"every second of some hours", file("UID:a DTSTART:20260304T100000Z RRULE:FREQ=SECONDLY;INTERVAL=7200;BYHOUR=5"), "want FREQ=DAILY or rarer"},
		{"every minute, by another name", file("UID:a DTSTART:20000101T000000Z RRULE:FREQ=DAILY;BYHOUR=1,2,3,4,5;BYMINUTE=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25"), "recurs too often"},
		{"every five minutes for a year", file("UID:a DTSTART:20260101T000000Z DURATION:PT1M RRULE:FREQ=MINUTELY;INTERVAL=5"), "more than 100000 occurrences"},
		{"a long rule", file("UID:a DTSTART:20260304 RRULE:FREQ=DAILY;BYMONTH=" + many), "too long"},
		{"a long interval", file("UID:a DTSTART:20260304 RRULE:FREQ=DAILY;INTERVAL=99999999"), "INTERVAL: want 10000 or less"},
		{"no occurrence", file("UID:a DTSTART:20260304 RRULE:FREQ=DAILY;COUNT=0"), "COUNT: want 1 or more"},
		{"fewer than none", file("UID:a DTSTART:20260304 RRULE:FREQ=DAILY;COUNT=-1"), "COUNT: want 1 or more"},
		{"no interval", file("UID:a DTSTART:20260304 RRULE:FREQ=DAILY;INTERVAL=0"), "INTERVAL: want 1 or more"},
		{"weeks from the end of the year", file("UID:a DTSTART:20260304 RRULE:FREQ=YEARLY;BYWEEKNO=-1"), "BYWEEKNO: want weeks from 1 to 53"},
		{"a week, so many times", file("UID:a DTSTART:20260304 RRULE:FREQ=YEARLY;BYWEEKNO=20;COUNT=3"), "BYWEEKNO: want BYDAY beside it"},
		{"the first day of a week", file("UID:a DTSTART:20260304 RRULE:FREQ=YEARLY;BYWEEKNO=20;BYSETPOS=1"), "BYWEEKNO: want BYDAY beside it"},
		{"the last day of the last week", file("UID:a DTSTART:20260304 RRULE:FREQ=YEARLY;BYWEEKNO=52;BYDAY=MO,TU;BYSETPOS=-1"), "BYSETPOS: want weeks from 2 to 51"},
		{"the first day of the first", file("UID:a DTSTART:20260304 RRULE:FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO,TU;BYSETPOS=1"), "BYSETPOS: want weeks from 2 to 51"},
		{"the first week of every other year", file("UID:a DTSTART:20240101 RRULE:FREQ=YEARLY;INTERVAL=2;BYWEEKNO=1;BYDAY=MO"), "BYWEEKNO: want weeks from 2 to 51 beside INTERVAL"},
		{"centuries", file("UID:a DTSTART:00010101T000000Z DTEND:99991231T000000Z"), "DTEND is more than 200 years after DTSTART"},
		{"an event in another", file("UID:a\nDTSTART:20260304\nBEGIN:VEVENT\nDTSTART:20260305\nEND:VEVENT"), "of 2 events 1 are read"},
		{"a thousand parameters", file("UID:a\nX-A;a=b" + strings.Repeat(",b", 1000) + ":x\nDTSTART:20260304"), `the parameters of "X-A;a=`},
		{"the second day of a week", file("UID:a DTSTART:20260304 RRULE:FREQ=WEEKLY;BYDAY=MO,TU;BYSETPOS=2"), "BYSETPOS: want no FREQ=WEEKLY beside it"},
		{"a parameter after a space", file("UID:a\nDTSTART; TZID=America/New_York:20260309T100000"), `DTSTART: parameter " TZID": want a name`},
		{"the first Monday of a week", file("UID:a DTSTART:20260304 RRULE:FREQ=WEEKLY;BYDAY=1MO"), "BYDAY: want weekdays without a number beside FREQ=WEEKLY"},
		{"the last Friday of a day", file("UID:a DTSTART:20260304 RRULE:FREQ=DAILY;BYDAY=-1FR"), "BYDAY: want weekdays without a number beside FREQ=WEEKLY"},
		{"numbered days of a week", file("UID:a DTSTART:20260304 RRULE:FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO,-1FR"), "BYDAY: want weekdays without a number beside BYWEEKNO"},
		{"a part that is there twice", file("UID:a DTSTART:20260304 RRULE:FREQ=WEEKLY;BYDAY=MO;BYDAY=FR"), "BYDAY: it is there twice"},
		{"an EXDATE that excludes nothing", file("UID:a DTSTART:20260304 EXDATE:20260304T000000"), "want a date if DTSTART is one"},
		{"a period", file("UID:a DTSTART:20260304T100000Z RDATE;VALUE=PERIOD:20260304T100000Z/PT1H"), "RDATE: "},
		{"all later occurrences at once", file("UID:a DTSTART:20260304 RECURRENCE-ID;RANGE=THISANDFUTURE:20260304"), "want one for each occurrence"},
		{"a file cut short", "BEGIN:VCALENDAR\nVERSION:2.0\n", "its end is missing"},
		{"a file cut short in an event", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260304\nEND:VCALENDAR", "want an iCalendar file"},
		{"two calendars", file("UID:a DTSTART:20260304") + strings.ToLower(file("UID:b DTSTART:20260305")), "a.ics: it has 2 VCALENDAR; want one VCALENDAR in a file"},
		{"an empty file", "", "its end is missing"},
		{"another kind of file", "<html>\nEND:VCALENDAR", "want an iCalendar file"},
		{"too big", strings.Repeat(" ", mostBytes+1), "it is too big"},
	} {
		t.Run(test.why, func(t *testing.T) {
			_, err := Read(strings.NewReader(test.text), "a.ics", berlin(t), from, to.AddDate(1, 0, 0))
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "a.ics: ") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v, want one line that says %q and the file", err, test.want)
			}
		})
	}
}

func TestAMaskIsNamedAfterFileAndEvent(t *testing.T) {
	masks, err := Read(strings.NewReader(file("DTSTART:20260304\nSUMMARY:Company\\nparty\\, all day")), "a.ics", berlin(t), from, to)
	if err != nil || len(masks) != 1 || masks[0].Name != "a.ics: Company party, all day" {
		t.Errorf("masks are %v, %v", masks, err)
	}
}

func TestADayWhoseMidnightIsSkippedCounts(t *testing.T) {
	var zone calendar.Zone
	if err := zone.UnmarshalText([]byte("America/Sao_Paulo")); err != nil {
		t.Fatal(err)
	}
	masks, err := Read(strings.NewReader(file("DTSTART;VALUE=DATE:20181103 RRULE:FREQ=DAILY;COUNT=2")), "a.ics", zone, from.AddDate(-8, 0, 0), to)
	last := time.Date(2018, time.November, 5, 2, 0, 0, 0, time.UTC)
	if err != nil || len(masks) == 0 || !masks[len(masks)-1].Close.Equal(last) {
		t.Errorf("masks are %v, %v, want the last to end at %s", masks, err, last)
	}
}

func TestHourAfterHourNothingIsOpen(t *testing.T) {
	for _, length := range []string{"DURATION:PT1H", "DTEND;TZID=Europe/Berlin:20261024T010000"} {
		rule := "DTSTART;TZID=Europe/Berlin:20261024T000000 RRULE:FREQ=HOURLY;UNTIL=20261026T220000Z " + length
		masks, err := Read(strings.NewReader(file(rule)), "a.ics", berlin(t), from, to)
		if err != nil {
			t.Fatal(err)
		}
		all := calendar.Calendar{Zone: berlin(t), Closed: &calendar.Closed{Masks: calendar.Union(masks...)}}
		if err := errors.Join(all.Days.UnmarshalText([]byte("Mon-Sun")), all.Hours.UnmarshalText([]byte("00:00-24:00"))); err != nil {
			t.Fatal(err)
		}
		for day := 24; day <= 26; day++ { // the second is 25 hours long
			if open := all.Day(calendar.Date{Year: 2026, Month: time.October, Day: day}).OpenLength(); open != 0 {
				t.Errorf("%s: %s of %d October are open", length, open, day)
			}
		}
	}
}

// A week belongs to the year in which most of it is, whichever day begins it.
func TestWeeksByTheirNumberAreWhole(t *testing.T) {
	start, begin, end := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2060, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, asked := range [][]int{{1}, {20}, {52}, {53}, {1, 52, 53}} {
		for first, name := range []string{"SU", "MO", "TU", "WE", "TH", "FR", "SA"} {
			for _, count := range []int{10_000, 17} {
				var want []string
				for day, n := start, 0; day.Before(end) && n < count; day = day.AddDate(0, 0, 1) {
					since := (int(day.Weekday()) - first + 7) % 7
					most := day.AddDate(0, 0, 3-since) // its fourth day
					if !slices.Contains(asked, (most.YearDay()+6)/7) {
						continue
					}
					if n++; !day.Before(begin) {
						want = append(want, day.Format(time.DateOnly))
					}
				}
				numbers := strings.Trim(strings.ReplaceAll(fmt.Sprint(asked), " ", ","), "[]")
				rule := fmt.Sprintf("FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYWEEKNO=%s;WKST=%s;COUNT=%d", numbers, name, count)
				masks, err := Read(strings.NewReader(file("UID:a DTSTART;VALUE=DATE:20240101 RRULE:"+rule)), "a.ics", calendar.Zone{}, begin, end)
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, m := range masks {
					got = append(got, m.Open.Format(time.DateOnly))
				}
				slices.Sort(got)
				if got = slices.Compact(got); !slices.Equal(got, want) {
					t.Errorf("%s: %d days, want %d", rule, len(got), len(want))
				}
			}
		}
	}
}

func TestAFileOfRulesThatTakeLongIsRefused(t *testing.T) {
	rules := strings.Repeat("\nRRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", 1000)
	for _, since := range []string{"00010101", "20260304"} { // they are sought for as long whenever they begin
		if _, err := Read(strings.NewReader(file("UID:a\nDTSTART:"+since+rules)), "a.ics", berlin(t), from, to); err == nil || !strings.Contains(err.Error(), "the rules of the file take too long") {
			t.Errorf("since %s: %v, want it refused", since, err)
		}
	}
}

func TestAFileOfRulesOfADayThatTheClockSkipsIsRefused(t *testing.T) {
	rules := strings.Repeat("\nRRULE:FREQ=SECONDLY;COUNT=1", 20)
	text := file("UID:a\nDTSTART;TZID=Pacific/Apia:20111230T000000" + rules)
	if _, err := Read(strings.NewReader(text), "a.ics", berlin(t), from, to); err == nil || !strings.Contains(err.Error(), "the rules of the file take too long") {
		t.Errorf("%v, want it refused", err)
	}
}

func TestManyRulesThatFindNothingEnd(t *testing.T) {
	rules := strings.Repeat("\nRRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", 50)
	if _, err := Read(strings.NewReader(file("UID:a\nDTSTART:20260304"+rules)), "a.ics", berlin(t), from, to); err != nil {
		t.Fatal(err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(file("UID:a DTSTART;TZID=Europe/Berlin:20260304T100000 DURATION:P1DT1H RRULE:FREQ=MONTHLY;BYDAY=-1FR;UNTIL=20270101 EXDATE:20260327T090000Z"))
	f.Add(file("UID:a DTSTART;VALUE=DATE:20260304 RRULE:FREQ=YEARLY;BYWEEKNO=53;BYDAY=MO;BYSETPOS=-1", "UID:a RECURRENCE-ID;VALUE=DATE:20260304 DTSTART:20260305"))
	f.Add(file("UID:a DTSTART:20260304T100000Z RRULE:FREQ=MINUTELY;INTERVAL=7;COUNT=9 RDATE:20260401T000000Z STATUS:CANCELLED"))
	f.Fuzz(func(t *testing.T, text string) {
		masks, err := Read(strings.NewReader(text), "a.ics", berlin(t), from, to)
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: the error has several lines: %v", text, err)
		}
		for _, m := range masks {
			if m.Close.Before(m.Open) || !m.Open.Before(to) || !m.Close.After(from) {
				t.Errorf("%q: %v lies outside the horizon", text, m)
			}
		}
	})
}
