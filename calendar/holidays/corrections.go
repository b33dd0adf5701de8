package holidays

import (
	"slices"
	"time"

	"github.com/rickar/cal/v2"
	"github.com/rickar/cal/v2/ar"
	"github.com/rickar/cal/v2/bg"
	"github.com/rickar/cal/v2/ch"
	"github.com/rickar/cal/v2/ua"
)

// corrections are holidays that the library does not have, some by laws later than its release of April 2023.
var corrections = map[string][]*cal.Holiday{
	// Ley 27.399: the Thursday is one by the employer's leave; 20 June does not move, and those named last do. The library has
	// these on their own dates, which stay closed.
	"AR": {
		fromEaster("Jueves Santo", -3), fromEaster("Viernes Santo", -2),
		yearly(ar.BelgranoDay.Name, always, time.June, 20),
		toMonday(ar.GuemesDay), toMonday(ar.SanMartinDay), toMonday(ar.DiversityDay), toMonday(ar.SovereigntyDay),
	},
	// Of a Christmas on a Sunday the library moves the days after it as well, and the first of May if Easter is near.
	"BG": {yearly(bg.LabourDay.Name, always, time.May, 1), yearly(bg.ChristmasDay2.Name, always, time.December, 26)},
	"BR": {yearly("Dia Nacional de Zumbi e da Consciência Negra", 2024, time.November, 20)}, // Lei 14.759/2023
	// Of Ontario, British Columbia, Alberta, Saskatchewan and New Brunswick, and by other names of more.
	"CA": {{Name: "Family Day", Month: time.February, Weekday: time.Monday, Offset: 3, Func: cal.CalcWeekdayOffset}},
	// 16 cantons have it.
	"CH": {ch.Allerheiligen},
	// The cantons' laws on public holidays. Of a canton that has one in some communes alone, all have it here.
	"CH-AI": {yearly("Mauritiustag", always, time.September, 22)},
	"CH-FR": {ch.MariaEmpfangnis},
	"CH-GE": {
		afterSunday("Jeûne genevois", 1, 4), // the Thursday after the first Sunday of September
		yearly("Restauration de la République", always, time.December, 31),
	},
	"CH-GL": {{Name: "Näfelser Fahrt", Func: fahrt}},
	"CH-JU": {yearly("Commémoration du plébiscite", always, time.June, 23)},
	"CH-NE": {yearly("Instauration de la République", always, time.March, 1)},
	"CH-OW": {yearly("Bruderklausenfest", always, time.September, 25)},
	"CH-TI": {yearly("Santi Pietro e Paolo", always, time.June, 29)},
	"CH-VD": {afterSunday("Lundi du Jeûne fédéral", 3, 1)}, // the Monday after the third
	"CH-ZG": {ch.Fronleichnam, ch.MariaHimmelfahrt, ch.MariaEmpfangnis},
	// Feiertagsgesetz Mecklenburg-Vorpommern, § 2, as of 2022.
	"DE-MV": {yearly("Frauentag", 2023, time.March, 8)},
	"IT":    {yearly("San Francesco d'Assisi", 2026, time.October, 4)}, // Legge 151/2025
	// The library knows the days between two holidays up to 2032.
	"JP": {onceEach("Kokumin no kyūjitsu", "2037-09-22")},
	// Public Holidays Act: of Christmas and Boxing Day on a weekend each has a day of its own after it.
	"MW": {{Name: "Christmas Day or Boxing Day", Func: afterChristmas}},
	// Te Kāhui o Matariki Public Holiday Act 2022, schedule 1.
	"NZ": {onceEach("Matariki", "2022-06-24", "2023-07-14", "2024-06-28", "2025-06-20", "2026-07-10", "2027-06-25", "2028-07-14",
		"2029-07-06", "2030-06-21", "2031-07-11", "2032-07-02", "2033-06-24", "2034-07-07", "2035-06-29", "2036-07-18",
		"2037-07-10", "2038-06-25", "2039-07-15", "2040-07-06")},
	"PL": {yearly("Wigilia Bożego Narodzenia", 2025, time.December, 24)}, // act of December 2024
	// Legea 52/2023.
	"RO": {yearly("Bobotează", 2024, time.January, 6), yearly("Sfântul Ioan Botezătorul", 2024, time.January, 7)},
	// Labour Code, art. 112. If one is on a weekend, a decree says which other day is off.
	"RU": days("Новогодние каникулы", time.January, 1, 8),
	// Labour Code, art. 67: a holiday on a weekend has the next working day off, and Trinity is a Sunday.
	"UA": {
		{Name: "Трійця", Offset: 50, Julian: true, Func: cal.CalcEasterOffset},
		ua.CatholicChristmas.Clone(&cal.Holiday{Observed: []cal.AltDay{{Day: time.Saturday, Offset: 2}, {Day: time.Sunday, Offset: 1}}}),
	},
}

const always = 0 // the year since which there is a holiday that has long been there

// without returns the library's holidays but for those that are wrong.
func without(all []*cal.Holiday, wrong ...*cal.Holiday) []*cal.Holiday {
	return slices.DeleteFunc(slices.Clone(all), func(h *cal.Holiday) bool { return slices.Contains(wrong, h) })
}

func fromEaster(name string, offset int) *cal.Holiday {
	return &cal.Holiday{Name: name, Offset: offset, Func: cal.CalcEasterOffset}
}

// afterSunday is a holiday so many days after the nth Sunday of September.
func afterSunday(name string, n, days int) *cal.Holiday {
	return &cal.Holiday{Name: name, Month: time.September, Weekday: time.Sunday, Offset: n, CalcOffset: days, Func: cal.CalcWeekdayOffset}
}

// toMonday is a holiday that is observed on the nearer Monday, from Tuesday to Friday.
func toMonday(h *cal.Holiday) *cal.Holiday {
	return h.Clone(&cal.Holiday{Observed: []cal.AltDay{
		{Day: time.Tuesday, Offset: -1}, {Day: time.Wednesday, Offset: -2}, {Day: time.Thursday, Offset: 4}, {Day: time.Friday, Offset: 3},
	}})
}

// fahrt is the first Thursday of April, or the second if the first is the one before Easter.
func fahrt(_ *cal.Holiday, year int) time.Time {
	day := cal.DayStart(cal.WeekdayN(year, time.April, time.Thursday, 1))
	if day.Equal(cal.CalcEasterOffset(&cal.Holiday{Offset: -3}, year)) {
		return day.AddDate(0, 0, 7)
	}
	return day
}

// afterChristmas is the second day that makes up for Christmas and Boxing Day, where both or the first are on a weekend.
func afterChristmas(_ *cal.Holiday, year int) time.Time {
	switch christmas := cal.DayStart(time.Date(year, time.December, 25, 0, 0, 0, 0, time.UTC)); christmas.Weekday() {
	case time.Saturday:
		return christmas.AddDate(0, 0, 3)
	case time.Sunday:
		return christmas.AddDate(0, 0, 2)
	}
	return time.Time{}
}

func yearly(name string, since int, month time.Month, day int) *cal.Holiday {
	return &cal.Holiday{Name: name, StartYear: since, Month: month, Day: day, Func: cal.CalcDayOfMonth}
}

// days is a holiday of several days, from one day of a month to another, both in.
func days(name string, month time.Month, from, to int) []*cal.Holiday {
	var all []*cal.Holiday
	for day := from; day <= to; day++ {
		all = append(all, yearly(name, always, month, day))
	}
	return all
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
