package holidays

import (
	"time"

	"github.com/rickar/cal/v2"
)

// corrections are holidays that the library does not have, most by laws later than its release of April 2023.
var corrections = map[string][]*cal.Holiday{
	"BR": {yearly("Dia Nacional de Zumbi e da Consciência Negra", 2024, time.November, 20)}, // Lei 14.759/2023
	// Feiertagsgesetz Mecklenburg-Vorpommern, § 2, as of 2022.
	"DE-MV": {yearly("Frauentag", 2023, time.March, 8)},
	"IT":    {yearly("San Francesco d'Assisi", 2026, time.October, 4)}, // Legge 151/2025
	// The library knows the days between two holidays up to 2032.
	"JP": {onceEach("Kokumin no kyūjitsu", "2037-09-22")},
	// Te Kāhui o Matariki Public Holiday Act 2022, schedule 1.
	"NZ": {onceEach("Matariki", "2022-06-24", "2023-07-14", "2024-06-28", "2025-06-20", "2026-07-10", "2027-06-25", "2028-07-14",
		"2029-07-06", "2030-06-21", "2031-07-11", "2032-07-02", "2033-06-24", "2034-07-07", "2035-06-29", "2036-07-18",
		"2037-07-10", "2038-06-25", "2039-07-15", "2040-07-06")},
	"PL": {yearly("Wigilia Bożego Narodzenia", 2025, time.December, 24)}, // act of December 2024
	// Legea 52/2023.
	"RO": {yearly("Bobotează", 2024, time.January, 6), yearly("Sfântul Ioan Botezătorul", 2024, time.January, 7)},
}

func yearly(name string, since int, month time.Month, day int) *cal.Holiday {
	return &cal.Holiday{Name: name, StartYear: since, Month: month, Day: day, Func: cal.CalcDayOfMonth}
}

// onceEach is a holiday whose dates are known one by one; there is none in another year.
func onceEach(name string, dates ...string) *cal.Holiday {
	return &cal.Holiday{Name: name, Func: func(_ *cal.Holiday, year int) time.Time {
		for _, text := range dates {
			if date, err := time.Parse(time.DateOnly, text); err == nil && date.Year() == year {
				return date
			}
		}
		return time.Time{}
	}}
}
