package holidays

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"caprice/calendar"
)

func TestHolidaysAreThosePublished(t *testing.T) {
	for code, years := range published {
		var c Codes
		if err := c.UnmarshalText([]byte(code)); err != nil {
			t.Fatal(err)
		}
		if len(years) != 12 {
			t.Errorf("%s: %d years, want 2024 to 2035", code, len(years))
		}
		for year, want := range years {
			var got []string
			for date := range c.Dates(year, year) {
				got = append(got, date.String()[len("2024-"):])
			}
			slices.Sort(got)
			if text := strings.Join(got, " "); text != want {
				t.Errorf("%s %d:\n got %s\nwant %s", code, year, text, want)
			}
		}
	}
}

// Easter Sundays of 2024 to 2035, as every almanac has them, by the Gregorian and by the Julian calendar.
var (
	easter   = []string{"2024-03-31", "2025-04-20", "2026-04-05", "2027-03-28", "2028-04-16", "2029-04-01", "2030-04-21", "2031-04-13", "2032-03-28", "2033-04-17", "2034-04-09", "2035-03-25"}
	orthodox = []string{"2024-05-05", "2025-04-20", "2026-04-12", "2027-05-02", "2028-04-16", "2029-04-08", "2030-04-28", "2031-04-13", "2032-05-02", "2033-04-24", "2034-04-09", "2035-04-29"}
)

func TestEasterIsWhereTheAlmanacHasIt(t *testing.T) {
	for code, sundays := range map[string][]string{"CH-ZH": easter, "NO": easter, "GR": orthodox, "RO": orthodox} {
		dates := expand(t, code, 2024, 2035)
		for _, text := range sundays {
			var sunday calendar.Date
			if err := sunday.UnmarshalText([]byte(text)); err != nil {
				t.Fatal(err)
			}
			for _, offset := range []int{-2, 1} {
				if dates[sunday.Add(offset)] == "" {
					t.Errorf("%s has no holiday on %s, %d days from Easter", code, sunday.Add(offset), offset)
				}
			}
		}
	}
}

func TestHolidaysOfPlaces(t *testing.T) {
	for _, test := range []struct {
		why, codes, date string
		want             string
	}{
		{"a state has what its country has", "DE-BY", "2026-10-03", "Tag der Deutschen Einheit (DE-BY)"},
		{"and its own", "DE-BY", "2026-01-06", "Heilige Drei Könige (DE-BY)"},
		{"its country has not", "DE", "2026-01-06", ""},
		{"several codes are a union", "US,DE-BY", "2026-01-06", "Heilige Drei Könige (DE-BY)"},
		{"the first code names a date", "US,DE-BY", "2026-01-01", "New Year's Day (US)"},
		{"observed on Friday", "US", "2026-07-03", "Independence Day (US)"},
		{"and not on its own Saturday", "US", "2026-07-04", ""},
		{"observed in the year before", "US", "2027-12-31", "New Year's Day (US)"},
		{"moved by two days", "GB", "2027-12-27", "Christmas Day (GB)"},
		{"since 2023 in one state", "DE-MV", "2027-03-08", "Frauentag (DE-MV)"},
		{"a law of 2024", "PL", "2026-12-24", "Wigilia Bożego Narodzenia (PL)"},
		{"not before it held", "PL", "2024-12-24", ""},
		{"a law of 2023", "BR", "2026-11-20", "Dia Nacional de Zumbi e da Consciência Negra (BR)"},
		{"a law of 2025", "IT", "2027-10-04", "San Francesco d'Assisi (IT)"},
		{"by the moon", "NZ", "2026-07-10", "Matariki (NZ)"},
		{"abolished in 2024", "DK", "2026-05-01", ""},
		{"Easter by the Julian calendar", "GR", "2026-04-13", "Δευτέρα του Πάσχα (GR)"},
		{"the Friday before Easter", "AR", "2026-04-03", "Viernes Santo (AR)"},
		{"and in another year", "AR", "2027-03-26", "Viernes Santo (AR)"},
		{"the Thursday by its own name", "AR", "2026-04-02", "Día de los Veteranos de la Guerra de Malvinas (AR)"},
		{"and where it has the date for itself", "AR", "2025-04-17", "Jueves Santo (AR)"},
		{"does not move to Friday", "AR", "2026-06-19", ""},
		{"and stays on its Saturday", "AR", "2026-06-20", "Aniversario paso a la inmortalidad del General Juan Manuel Belgrano (AR)"},
		{"from Wednesday back to Monday", "AR", "2026-06-15", "Aniversario paso a la inmortalidad del General Martín Miguel de Güemes (AR)"},
		{"from Tuesday back to Monday", "AR", "2025-06-16", "Aniversario paso a la inmortalidad del General Martín Miguel de Güemes (AR)"},
		{"from Friday on to Monday", "AR", "2026-11-23", "Día de la Soberanía Nacional (AR)"},
		{"from Thursday on to Monday", "AR", "2025-11-24", "Día de la Soberanía Nacional (AR)"},
		{"a Monday stays", "AR", "2026-10-12", "Día del respeto a la diversidad cultural (AR)"},
		{"the Thursday after the first Sunday of September", "CH-GE", "2026-09-10", "Jeûne genevois (CH-GE)"},
		{"which may be the first of the month", "CH-GE", "2024-09-05", "Jeûne genevois (CH-GE)"},
		{"the last day of the year", "CH-GE", "2026-12-31", "Restauration de la République (CH-GE)"},
		{"in a canton that is not Catholic", "CH-GE", "2026-06-04", ""},
		{"in one that is", "CH-ZG", "2026-06-04", "Fronleichnam (CH-ZG)"},
		{"Assumption", "CH-ZG", "2025-08-15", "Mariä Himmelfahrt (CH-ZG)"},
		{"Immaculate Conception", "CH-ZG", "2026-12-08", "Mariä Empfängnis (CH-ZG)"},
		{"in most of its communes", "CH-FR", "2026-12-08", "Mariä Empfängnis (CH-FR)"},
		{"the Monday after the third Sunday of September", "CH-VD", "2026-09-21", "Lundi du Jeûne fédéral (CH-VD)"},
		{"which may be the third Monday", "CH-VD", "2024-09-16", "Lundi du Jeûne fédéral (CH-VD)"},
		{"a republic since 1848", "CH-NE", "2027-03-01", "Instauration de la République (CH-NE)"},
		{"the first Thursday of April", "CH-GL", "2025-04-03", "Näfelser Fahrt (CH-GL)"},
		{"is a week later if that is before Easter", "CH-GL", "2026-04-09", "Näfelser Fahrt (CH-GL)"},
		{"and not on that day", "CH-GL", "2026-04-02", ""},
		{"a canton since a vote", "CH-JU", "2026-06-23", "Commémoration du plébiscite (CH-JU)"},
		{"Peter and Paul", "CH-TI", "2026-06-29", "Santi Pietro e Paolo (CH-TI)"},
		{"Nicholas of Flüe", "CH-OW", "2026-09-25", "Bruderklausenfest (CH-OW)"},
		{"Maurice", "CH-AI", "2026-09-22", "Mauritiustag (CH-AI)"},
		{"the week after New Year", "RU", "2026-01-02", "Новогодние каникулы (RU)"},
		{"its last day", "RU", "2026-01-08", "Новогодние каникулы (RU)"},
		{"after which people work", "RU", "2025-01-09", ""},
		{"the day after Christmas, on a Tuesday after a Christmas Eve on Sunday", "BG", "2028-12-26", "Коледа 2 (BG)"},
		{"and what makes up for that", "BG", "2028-12-27", "Коледа 2 (BG)"},
		{"May Day with Easter near", "BG", "2024-05-01", "Ден на труда и на международната работническа солидарност (BG)"},
		{"Boxing Day on a Sunday, beside Christmas on a Saturday", "MW", "2027-12-28", "Christmas Day or Boxing Day (MW)"},
		{"Christmas on a Sunday, beside Boxing Day", "MW", "2033-12-27", "Christmas Day or Boxing Day (MW)"},
		{"and neither on a weekend", "MW", "2029-12-27", ""},
		{"the Monday after Trinity", "UA", "2027-06-21", "Трійця (UA)"},
		{"Christmas on a Saturday", "UA", "2027-12-27", "Різдво (UA)"},
		{"in most provinces", "CA", "2027-02-15", "Family Day (CA)"},
		{"in 16 of 26 cantons", "CH", "2027-11-01", "Allerheiligen (CH)"},
		{"people work in that year, and docs/holidays.md says so", "SK", "2026-05-08", "Deň víťazstva nad fašizmom (SK)"},
		{"and on that day", "SK", "2026-09-15", "Sviatok Panny Márie Sedembolestnej, patrónky Slovenska (SK)"},
		{"they do since 2024, and the page says so", "UA", "2026-01-07", "Різдво (UA)"},
		{"nobody's", "", "2026-01-01", ""},
	} {
		t.Run(test.why, func(t *testing.T) {
			var date calendar.Date
			if err := date.UnmarshalText([]byte(test.date)); err != nil {
				t.Fatal(err)
			}
			if got := expand(t, test.codes, 2024, 2035)[date]; got != test.want {
				t.Errorf("%s of %s is %q, want %q", test.date, test.codes, got, test.want)
			}
		})
	}
}

func TestAnUnknownCodeNamesNearOnes(t *testing.T) {
	for _, test := range []struct{ why, text, want string }{
		{"an unknown state", "DE-XX", "DE-BB,DE-BE,DE-BW,DE-BY,DE-HB"},
		{"small letters", "us", "as in US"},
		{"a country without a list of its own", "AU", "AU-ACT,AU-NSW"},
		{"a region that is not there", "US-CA", "as in US"},
		{"nothing like it", "QQ", "as in DE-BY,US"},
		{"the United Kingdom", "UK", `holidays "UK": want codes of docs/holidays.md separated by commas, as in GB`},
		{"a part of it, in small letters", "uk-sct", "as in GB"},
		{"Greece, as the European Union has it", "EL", "as in GR"},
		{"Ukraine", "UKR", "as in UA"},
		{"an empty entry", "DE,", `holidays "": want codes of docs/holidays.md`},
	} {
		t.Run(test.why, func(t *testing.T) {
			err := new(Codes).UnmarshalText([]byte(test.text))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%q: %v, want an error that says %q", test.text, err, test.want)
			}
		})
	}
}

func expand(t *testing.T, codes string, from, to int) map[calendar.Date]string {
	t.Helper()
	var c Codes
	if err := c.UnmarshalText([]byte(codes)); err != nil {
		t.Fatal(err)
	}
	return c.Dates(from, to)
}

func TestPlacesAreInOrderAndHaveHolidays(t *testing.T) {
	for i, p := range places {
		if i > 0 && places[i-1].code >= p.code {
			t.Errorf("%s comes after %s", p.code, places[i-1].code)
		}
		dates := expand(t, p.code, 2026, 2026)
		if len(dates) < 4 {
			t.Errorf("%s has %d holidays in 2026", p.code, len(dates))
		}
		for date, name := range dates {
			if date.Year != 2026 || strings.HasPrefix(name, " ") {
				t.Errorf("%s has %q on %s", p.code, name, date)
			}
		}
	}
	for code := range corrections {
		if new(Codes).UnmarshalText([]byte(code)) != nil {
			t.Errorf("corrections of %s, which is no place", code)
		}
	}
}

func FuzzCodes(f *testing.F) {
	for _, s := range []string{"DE", "DE-BY,US", "de", "", ",", "DE, US", "ECB,ECB"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var c, again Codes
		if c.UnmarshalText([]byte(text)) != nil {
			return
		}
		if err := again.UnmarshalText([]byte(c.String())); err != nil || !slices.Equal(again.places, c.places) {
			t.Errorf("%q is %s, which parses back to %s, %v", text, c, again, err)
		}
	})
}

// The table of codes is made from the code: UPDATE_README=1 go test ./calendar/holidays writes it.
func TestTheTableOfCodesIsCurrent(t *testing.T) {
	const path = "../../docs/holidays.md"
	var table strings.Builder
	table.WriteString("| code | where | dates in 2026 | added here |\n|---|---|---|---|\n")
	for _, p := range places {
		var names []string
		for _, h := range corrections[p.code] {
			names = append(names, h.Name)
		}
		fmt.Fprintf(&table, "| `%s` | %s | %d | %s |\n", p.code, p.name, len(expand(t, p.code, 2026, 2026)), strings.Join(slices.Compact(names), ", "))
	}
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	prose, _, ok := strings.Cut(string(old), codes)
	text := prose + codes + table.String() + "<!-- end -->\n"
	switch {
	case !ok:
		t.Fatalf("%s has no line %q", path, codes)
	case text == string(old):
	case os.Getenv("UPDATE_README") == "":
		t.Fatal("docs/holidays.md does not say what the code does: UPDATE_README=1 go test ./calendar/holidays writes it")
	default:
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

const codes = "<!-- codes: generated -->\n"

// A holiday that changes when it is computed would change for all that are computed after it.
func TestDatesAreTheSameAgain(t *testing.T) {
	for _, p := range places {
		first := expand(t, p.code, 2024, 2036)
		expand(t, p.code, 1990, 1999)
		if !maps.Equal(first, expand(t, p.code, 2024, 2036)) {
			t.Errorf("the holidays of %s differ the second time", p.code)
		}
	}
}
