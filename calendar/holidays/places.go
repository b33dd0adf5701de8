package holidays

import (
	"github.com/rickar/cal/v2"
	"github.com/rickar/cal/v2/ar"
	"github.com/rickar/cal/v2/at"
	"github.com/rickar/cal/v2/au"
	"github.com/rickar/cal/v2/be"
	"github.com/rickar/cal/v2/bg"
	"github.com/rickar/cal/v2/br"
	"github.com/rickar/cal/v2/ca"
	"github.com/rickar/cal/v2/ch"
	"github.com/rickar/cal/v2/cz"
	"github.com/rickar/cal/v2/de"
	"github.com/rickar/cal/v2/dk"
	"github.com/rickar/cal/v2/ecb"
	"github.com/rickar/cal/v2/es"
	"github.com/rickar/cal/v2/fr"
	"github.com/rickar/cal/v2/gb"
	"github.com/rickar/cal/v2/gr"
	"github.com/rickar/cal/v2/hr"
	"github.com/rickar/cal/v2/ie"
	"github.com/rickar/cal/v2/it"
	"github.com/rickar/cal/v2/jp"
	"github.com/rickar/cal/v2/lt"
	"github.com/rickar/cal/v2/lv"
	"github.com/rickar/cal/v2/mw"
	"github.com/rickar/cal/v2/nc"
	"github.com/rickar/cal/v2/nl"
	"github.com/rickar/cal/v2/no"
	"github.com/rickar/cal/v2/nz"
	"github.com/rickar/cal/v2/pl"
	"github.com/rickar/cal/v2/ro"
	"github.com/rickar/cal/v2/ru"
	"github.com/rickar/cal/v2/se"
	"github.com/rickar/cal/v2/si"
	"github.com/rickar/cal/v2/sk"
	"github.com/rickar/cal/v2/ua"
	"github.com/rickar/cal/v2/us"
	"github.com/rickar/cal/v2/za"
)

// place is where holidays are observed: a country by ISO 3166-1, a part of one by ISO 3166-2, or a bank.
type place struct {
	code, name string
	holidays   []*cal.Holiday
}

// places is every list that the library has, by code, without what is wrong in it.
var places = []place{
	{"AR", "Argentina", without(ar.Holidays, ar.EasternsDay, ar.BelgranoDay)},
	{"AT", "Austria", at.Holidays},
	{"AU-ACT", "Australian Capital Territory, Australia", au.HolidaysACT},
	{"AU-NSW", "New South Wales, Australia", au.HolidaysNSW},
	{"AU-NT", "Northern Territory, Australia", au.HolidaysNT},
	{"AU-QLD", "Queensland, Australia", au.HolidaysQLD},
	{"AU-SA", "South Australia, Australia", au.HolidaysSA},
	{"AU-TAS", "Tasmania, Australia", au.HolidaysTAS},
	{"AU-VIC", "Victoria, Australia", au.HolidaysVIC},
	{"AU-WA", "Western Australia, Australia", au.HolidaysWA},
	{"BE", "Belgium", be.Holidays},
	{"BG", "Bulgaria", bg.Holidays},
	{"BR", "Brazil", br.Holidays},
	{"CA", "Canada, with what several provinces have", ca.Holidays},
	{"CH", "Switzerland, with what several cantons have", ch.Holidays},
	{"CH-AG", "Aargau, Switzerland", ch.HolidaysAG},
	{"CH-AI", "Appenzell Innerrhoden, Switzerland", ch.HolidaysAI},
	{"CH-AR", "Appenzell Ausserrhoden, Switzerland", ch.HolidaysAR},
	{"CH-BE", "Bern, Switzerland", ch.HolidaysBE},
	{"CH-BL", "Basel-Landschaft, Switzerland", ch.HolidaysBL},
	{"CH-BS", "Basel-Stadt, Switzerland", ch.HolidaysBS},
	{"CH-FR", "Fribourg, Switzerland", ch.HolidaysFR},
	{"CH-GE", "Geneva, Switzerland", without(ch.HolidaysGE, ch.Fronleichnam)},
	{"CH-GL", "Glarus, Switzerland", ch.HolidaysGL},
	{"CH-GR", "Graubünden, Switzerland", ch.HolidaysGR},
	{"CH-JU", "Jura, Switzerland", ch.HolidaysJU},
	{"CH-LU", "Lucerne, Switzerland", ch.HolidaysLU},
	{"CH-NE", "Neuchâtel, Switzerland", ch.HolidaysNE},
	{"CH-NW", "Nidwalden, Switzerland", ch.HolidaysNW},
	{"CH-OW", "Obwalden, Switzerland", ch.HolidaysOW},
	{"CH-SG", "St. Gallen, Switzerland", ch.HolidaysSG},
	{"CH-SH", "Schaffhausen, Switzerland", ch.HolidaysSH},
	{"CH-SO", "Solothurn, Switzerland", ch.HolidaysSO},
	{"CH-SZ", "Schwyz, Switzerland", ch.HolidaysSZ},
	{"CH-TG", "Thurgau, Switzerland", ch.HolidaysTG},
	{"CH-TI", "Ticino, Switzerland", ch.HolidaysTI},
	{"CH-UR", "Uri, Switzerland", ch.HolidaysUR},
	{"CH-VD", "Vaud, Switzerland", ch.HolidaysVD},
	{"CH-VS", "Valais, Switzerland", ch.HolidaysVS},
	{"CH-ZG", "Zug, Switzerland", ch.HolidaysZG},
	{"CH-ZH", "Zürich, Switzerland", ch.HolidaysZH},
	{"CZ", "Czechia", cz.Holidays},
	{"DE", "Germany, what all its states have", de.Holidays},
	{"DE-BB", "Brandenburg, Germany", de.HolidaysBB},
	{"DE-BE", "Berlin, Germany", de.HolidaysBE},
	{"DE-BW", "Baden-Württemberg, Germany", de.HolidaysBW},
	{"DE-BY", "Bavaria, Germany", de.HolidaysBY},
	{"DE-HB", "Bremen, Germany", de.HolidaysHB},
	{"DE-HE", "Hesse, Germany", de.HolidaysHE},
	{"DE-HH", "Hamburg, Germany", de.HolidaysHH},
	{"DE-MV", "Mecklenburg-Vorpommern, Germany", de.HolidaysMV},
	{"DE-NI", "Lower Saxony, Germany", de.HolidaysNI},
	{"DE-NW", "North Rhine-Westphalia, Germany", de.HolidaysNW},
	{"DE-RP", "Rhineland-Palatinate, Germany", de.HolidaysRP},
	{"DE-SH", "Schleswig-Holstein, Germany", de.HolidaysSH},
	{"DE-SL", "Saarland, Germany", de.HolidaysSL},
	{"DE-SN", "Saxony, Germany", de.HolidaysSN},
	{"DE-ST", "Saxony-Anhalt, Germany", de.HolidaysST},
	{"DE-TH", "Thuringia, Germany", de.HolidaysTH},
	{"DK", "Denmark", dk.Holidays},
	{"ECB", "European Central Bank (TARGET)", ecb.Holidays},
	{"ES", "Spain, what all its regions have", es.Holidays},
	{"FR", "France", fr.Holidays},
	{"GB", "England and Wales", gb.Holidays},
	{"GR", "Greece", gr.Holidays},
	{"HR", "Croatia", hr.Holidays},
	{"IE", "Ireland", ie.Holidays},
	{"IT", "Italy", it.Holidays},
	{"JP", "Japan", jp.Holidays},
	{"LT", "Lithuania", lt.Holidays},
	{"LV", "Latvia", lv.Holidays},
	{"MW", "Malawi", mw.Holidays},
	{"NC", "New Caledonia", nc.Holidays},
	{"NL", "Netherlands", nl.Holidays},
	{"NO", "Norway", no.Holidays},
	{"NZ", "New Zealand", nz.Holidays},
	{"PL", "Poland", pl.Holidays},
	{"RO", "Romania", ro.Holidays},
	{"RU", "Russia", ru.Holidays},
	{"SE", "Sweden, with its eves", se.Holidays},
	{"SI", "Slovenia", si.Holidays},
	{"SK", "Slovakia", sk.Holidays},
	{"UA", "Ukraine", ua.Holidays},
	{"US", "United States, federal", us.Holidays},
	{"ZA", "South Africa", za.Holidays},
}
