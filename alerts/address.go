package alerts

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Address is where alerts are listed, by Alertmanager or by Prometheus. Its path says by which.
type Address struct {
	text string
	url  url.URL
	read func([]byte) ([]Alert, error)
}

// dialects are how alerts are listed, by how the path ends.
var dialects = map[string]func([]byte) ([]Alert, error){
	"/api/v2/alerts": fromAlertmanager,
	"/api/v1/alerts": fromPrometheus,
}

// UnmarshalText reads a URL, or nothing.
func (a *Address) UnmarshalText(b []byte) error {
	*a = Address{}
	if len(b) == 0 {
		return nil
	}
	const want = "as in http://alertmanager:9093/api/v2/alerts or http://prometheus:9090/api/v1/alerts"
	u, err := url.Parse(string(b))
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Host == "", u.RawQuery != "", u.Fragment != "":
		return errors.New("want a URL without a query, " + want)
	case u.User != nil:
		return errors.New("want a URL without a user, and a token in a file, " + want)
	}
	for end, read := range dialects {
		if strings.HasSuffix(u.Path, end) {
			*a = Address{string(b), *u, read}
			return nil
		}
	}
	return errors.New("want the URL of a list of alerts, " + want)
}

// String returns the URL.
func (a Address) String() string { return a.text }

// asking returns the URL to ask for the alerts that matchers mean. Alertmanager leaves others out, and says of those that are
// silenced or inhibited that they are; Prometheus lists all.
func (a Address) asking(m Matchers) string {
	u := a.url
	if strings.HasSuffix(u.Path, "/api/v2/alerts") {
		query := url.Values{"active": {"true"}, "silenced": {"true"}, "inhibited": {"true"}}
		for _, one := range m {
			query.Add("filter", one.String())
		}
		u.RawQuery = query.Encode()
	}
	return u.String()
}

// fromAlertmanager reads the answer of Alertmanager's API, version 2. What is suppressed is silenced or inhibited.
func fromAlertmanager(body []byte) ([]Alert, error) {
	var list []struct {
		Labels   map[string]string
		StartsAt time.Time
		Status   struct{ State string }
	}
	if err := json.Unmarshal(body, &list); err != nil || list == nil {
		return nil, fmt.Errorf("want a list of alerts, as Alertmanager has it: %w", absent(err))
	}
	var listed []Alert
	for _, l := range list {
		is := fires
		if l.Status.State == "suppressed" {
			is = off
		}
		listed = append(listed, Alert{Labels: l.Labels, Since: l.StartsAt, state: is})
	}
	return listed, nil
}

// fromPrometheus reads the answer of Prometheus's API, version 1.
func fromPrometheus(body []byte) ([]Alert, error) {
	var answer struct {
		Status    string
		Warnings  []string // of what was not asked, where one answers for several
		IsPartial bool
		Data      struct {
			Alerts []struct {
				Labels   map[string]string
				State    string
				ActiveAt time.Time
			}
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Status != "success" || answer.Data.Alerts == nil {
		return nil, fmt.Errorf("want a list of alerts, as Prometheus has it: %w", absent(err))
	}
	if answer.IsPartial || len(answer.Warnings) > 0 {
		return nil, errors.New("want all alerts, the answer says that it may be partial")
	}
	var listed []Alert
	for _, l := range answer.Data.Alerts {
		is := fires
		switch l.State {
		case "pending":
			is = waits
		case "inactive":
			is = off
		}
		listed = append(listed, Alert{Labels: l.Labels, Since: l.ActiveAt, state: is})
	}
	return listed, nil
}

// absent returns what is wrong with an answer that can be read.
func absent(err error) error {
	if err == nil {
		return errors.New("there is none")
	}
	return err
}
