package notify

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/discord"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/slack"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/teams"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/email/smtp"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/push/ntfy"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/specialized/generic"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"
)

const (
	// patience is how long an answer over HTTP is waited for.
	patience = 10 * time.Second
	// longest is how long a mail may take: shoutrrr bounds how long it connects, and not how long it waits for answers.
	longest = time.Minute
	// mostHanging is how many mails that took longer may hang on beside each other, of one target: nothing can end them.
	mostHanging = 4
)

// Shoutrrr's generic webhooks and those of Teams go through http.DefaultClient, and nothing else in Caprice does. It waits forever,
// and shoutrrr keeps all that it reads. Slack and its client are bound to Slack's own host. A connection of HTTP/1 ends with a request
// that is not answered; one of HTTP/2, whose other end has vanished, would take all that come for a quarter of an hour.
func init() {
	one := new(http.Protocols)
	one.SetHTTP1(true)
	http.DefaultTransport.(*http.Transport).Protocols = one
	*http.DefaultClient = *askModestly(http.DefaultTransport)
}

// askModestly returns a client that waits for an answer for as long as patience is, reads so much of it and no more, and does not go
// where it is sent: there it would ask for a page in place of leaving a message, or show somebody else what is secret.
func askModestly(by http.RoundTripper) *http.Client {
	return &http.Client{Timeout: patience, Transport: modest{by}, CheckRedirect: func(*http.Request, []*http.Request) error { return errElsewhere }}
}

var errElsewhere = errors.New("redirected elsewhere")

type modest struct{ by http.RoundTripper }

const mostAnswer = 64 << 10 // bytes

// RoundTrip has a *told come of what is no success: some of shoutrrr's services say what the body has, and not which status it was.
func (m modest) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := m.by.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode >= 400 {
		_ = answer.Body.Close()
		return nil, ofStatus(answer.StatusCode)
	}
	answer.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(answer.Body, mostAnswer), answer.Body}
	return answer, nil
}

// told is an error that cause has nothing to find out about.
type told struct {
	why   string
	final bool
}

func (t *told) Error() string { return t.why }

// ofStatus is what a status says that is no success.
func ofStatus(code int) *told {
	hold := code == http.StatusRequestTimeout || code == http.StatusTooEarly || code == http.StatusTooManyRequests
	return &told{strings.TrimSpace(fmt.Sprintf("%d %s", code, http.StatusText(code))), code < 500 && !hold}
}

// known is what there is of shoutrrr here. Others than these may ask the network when they are set up. What an example does not show
// of its shape, the last text says.
var known = map[string]struct {
	make           func() types.Service
	example, shape string
}{
	"discord": {func() types.Service { return &discord.Service{} }, "discord://TOKEN@WEBHOOK_ID", ""},
	"generic": {func() types.Service { return &generic.Service{} }, "generic+https://HOST/PATH?template=json", ""},
	"ntfy":    {func() types.Service { return &ntfy.Service{} }, "ntfy://USER:PASSWORD@HOST/TOPIC", ""},
	"slack": {func() types.Service { return &slack.Service{} }, "slack://hook:A1B2C3D4E-F5G6H7I8J-k1l2m3n4o5p6q7r8s9t0u1v2@webhook",
		", whose parts are those of the webhook's URL after services/: twice 9 capitals and digits or more, and 24 letters and digits or more"},
	"smtp": {func() types.Service { return &smtp.Service{} }, "smtp://USER:PASSWORD@HOST:587/?from=A@HOST&to=B@HOST", ""},
	"teams": {func() types.Service { return &teams.Service{} }, "teams://11111111-4444-4444-8444-cccccccccccc@22222222-4444-4444-8444-cccccccccccc/33333333012222222222333333333344/44444444-4444-4444-8444-cccccccccccc/V2ESyij_gAljSoUQHvZoZYzlpAoAXExyOl26dlf1xHEx05?host=ORG.webhook.office.com",
		", which are group, tenant, ID, owner and the last part of the connector's URL"},
}

// read returns the service of a URL of shoutrrr's. Its error has nothing of the URL, any part of which may be a secret.
func read(text string) (service, error) {
	address, err := url.Parse(text)
	if err != nil {
		return nil, errUnknown()
	}
	scheme, _, custom := strings.Cut(address.Scheme, "+")
	kind, ok := known[scheme]
	if !ok {
		return nil, errUnknown()
	}
	wrong := fmt.Errorf("want it as in %s%s", kind.example, kind.shape)
	s := kind.make()
	if custom {
		convert, ok := s.(types.CustomURLService)
		if !ok {
			return nil, wrong
		}
		if address, err = convert.GetConfigURLFromCustom(address); err != nil || address == nil {
			return nil, wrong
		}
	}
	if err := s.Initialize(address, nil); err != nil { // without a logger: it would be told the URL
		return nil, wrong
	}
	switch s := s.(type) {
	case *generic.Service:
		return readWebhook(s, address.Query())
	case *smtp.Service:
		if slices.ContainsFunc(s.Config.ToAddresses, func(to string) bool { return strings.TrimSpace(to) == "" }) {
			return nil, wrong
		}
		return mailsOf(s), nil
	case *slack.Service:
		return marked{plain{s}, strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")}, nil
	case *discord.Service:
		s.HTTPClient = once{askModestly(http.DefaultTransport)}
		return marked{plain{s}, strings.NewReplacer("@", "@\u200b", "[", "\\[")}, nil
	case *teams.Service:
		return marked{plain{s}, strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "[", "\\[")}, nil
	case *ntfy.Service:
		s.SetHTTPClient(askModestly(encrypted(s.Config.DisableTLSVerification)))
	}
	return plain{s}, nil
}

// encrypted returns a transport of its own that trusts whoever answers, if that is asked for.
func encrypted(anybody bool) http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: anybody}
	return t
}

func errUnknown() error {
	return fmt.Errorf("want a URL that begins with %s://", strings.Join(slices.Sorted(maps.Keys(known)), "://, "))
}

// plain is a service that takes a text.
type plain struct{ types.Service }

func (s plain) send(text string, _ any) error { return s.Send(text, &types.Params{}) }

// marked is a service that takes some of a text for more than text: a mention of everybody, or a link by another name, say.
type marked struct {
	service
	plain *strings.Replacer
}

func (m marked) escape(text string) string { return m.plain.Replace(text) }

// once has a request of shoutrrr's sent a single time. For Discord shoutrrr repeats it by itself, for minutes, where an answer may yet
// change or none came; what it does not know it hands on.
type once struct{ *http.Client }

// Do sends a request.
func (o once) Do(r *http.Request) (*http.Response, error) {
	answer, err := o.Client.Do(r)
	if err != nil {
		why, final := cause(err)
		return nil, &told{why, final}
	}
	return answer, nil
}

// mails sends a mail of its own to each address: where one is refused, a mail server may take no more for the others, and one that
// takes its time keeps nobody else's.
type mails struct {
	each    []service
	refused error // what an address that was sent to before was refused for
}

// mailsOf returns the mails of a service, one for each address.
func mailsOf(s *smtp.Service) mails {
	var m mails
	hanging := new(atomic.Int64)
	for _, to := range s.Config.ToAddresses {
		one, config := *s, s.Config.Clone()
		config.ToAddresses = []string{to}
		one.Config = &config
		m.each = append(m.each, &bounded{mail{&one}, hanging})
	}
	return m
}

func (m mails) send(text string, data any) error {
	rest, why := mails{nil, m.refused}, error(nil)
	for _, one := range m.each {
		err := one.send(text, data)
		if err == nil {
			continue
		}
		if _, final := cause(err); final {
			rest.refused = err
		} else {
			rest.each, why = append(rest.each, one), err
		}
	}
	if len(rest.each) > 0 {
		return &undelivered{rest, why}
	}
	return rest.refused
}

func (m mails) escape(text string) string {
	if e, ok := m.each[0].(escaper); ok { // they have one configuration
		return e.escape(text)
	}
	return text
}

// mail has the first line of the text as its subject.
type mail struct{ *smtp.Service }

const (
	// mostSubject and mostLine are how long a subject and a line of the text may be: RFC 5322 ends lines after 998 octets.
	mostSubject = 200 // runes
	mostLine    = 900 // bytes
)

func (s mail) send(text string, _ any) error {
	subject, _, _ := strings.Cut(text, "\n")
	if runes := []rune(subject); len(runes) > mostSubject {
		subject = string(runes[:mostSubject]) + "..."
	}
	one := *s.Service // it keeps what is of one mail, and an earlier one may hang still
	config := s.Config.Clone()
	one.Config = &config
	err := one.Send(folded(text)+"\n", &types.Params{types.TitleKey: subject})
	if err != nil && strings.Contains(err.Error(), "closing session") && !strings.Contains(err.Error(), "to recipient") {
		return nil // the mail has been taken, and its server was not polite about the end
	}
	return err
}

func (s mail) escape(text string) string {
	if s.Config.UseHTML {
		return html.EscapeString(text)
	}
	return text
}

// folded breaks lines that are too long for a mail, between words where there are some.
func folded(text string) string {
	var lines []string
	for rest := range strings.SplitSeq(text, "\n") {
		for len(rest) > mostLine {
			at := strings.LastIndexByte(rest[:mostLine], ' ') + 1
			if at == 0 {
				for at = mostLine; !utf8.RuneStart(rest[at]); at-- {
				}
			}
			lines, rest = append(lines, rest[:at]), rest[at:]
		}
		lines = append(lines, rest)
	}
	return strings.Join(lines, "\n")
}

// bounded gives up what its service takes too long for. While too many of these hang on, nothing is sent.
type bounded struct {
	service
	hanging *atomic.Int64 // that which is being sent included
}

func (b *bounded) escape(text string) string {
	if e, ok := b.service.(escaper); ok {
		return e.escape(text)
	}
	return text
}

func (b *bounded) send(text string, data any) error {
	if b.hanging.Load() >= mostHanging {
		return errHangs
	}
	b.hanging.Add(1)
	answer := make(chan error, 1)
	go func() {
		err := safely(b.service, text, data)
		b.hanging.Add(-1)
		answer <- err
	}()
	late := time.NewTimer(longest)
	defer late.Stop()
	select {
	case err := <-answer:
		return err
	case <-late.C:
		return errHangs
	}
}

var errHangs = errors.New("timed out")

// webhook takes all data as JSON, with the text among them. Shoutrrr's own JSON has texts alone.
type webhook struct {
	*generic.Service
	textKey string
	extra   map[string]string // what the URL adds
}

func readWebhook(s *generic.Service, query url.Values) (service, error) {
	switch template := s.Config.Template; {
	case s.Config.WebhookURL().Host == "":
		return nil, fmt.Errorf("want it as in %s", known[generic.Scheme].example)
	case template == "":
		return plain{s}, nil
	case template != "json" && template != generic.JSONTemplate:
		return nil, errors.New("want template=json in it, or no template")
	}
	w := webhook{s, s.Config.MessageKey, map[string]string{}}
	for key, values := range query {
		if name, ok := strings.CutPrefix(key, string(generic.ExtraPrefixChar)); ok && name != "" {
			w.extra[name] = values[0]
		}
	}
	s.Config.MessageKey, s.Config.Template = types.MessageKey, "as it is"
	return w, s.SetTemplateString(s.Config.Template, "{{."+types.MessageKey+"}}")
}

func (w webhook) send(text string, data any) error {
	b, err := json.Marshal(data)
	if err != nil {
		return err
	}
	fields := map[string]any{}
	if err := json.Unmarshal(b, &fields); err != nil {
		return err
	}
	for key, value := range w.extra {
		fields[key] = value
	}
	fields[w.textKey] = text
	if b, err = json.Marshal(fields); err != nil {
		return err
	}
	return w.Send(string(b), &types.Params{})
}

// refusedBySlack are answers of Slack's, as its pages on incoming webhooks and chat.postMessage have them, that stay as they are until
// somebody changes something.
var refusedBySlack = []string{
	"account_inactive", "action_prohibited", "channel_is_archived", "channel_not_found", "invalid_auth", "invalid_payload", "invalid_token", "is_archived",
	"missing_scope", "msg_too_long", "no_permission", "no_service", "no_service_id", "no_team", "no_text", "not_authed", "not_in_channel", "org_login_required",
	"posting_to_general_channel_denied", "restricted_action", "team_access_not_granted", "team_disabled", "token_expired", "token_revoked", "user_not_found",
}

// cause says why a notification was not taken, and whether that is final. It has nothing of the error's own words, among
// which are URLs and what a stranger answered.
func cause(err error) (why string, final bool) {
	var answer *textproto.Error
	if errors.As(err, &answer) {
		return fmt.Sprintf("mail server's answer %d", answer.Code), answer.Code >= 500
	}
	if t := (*told)(nil); errors.As(err, &t) {
		return t.why, t.final
	}
	text := err.Error()
	if strings.Contains(text, errElsewhere.Error()) {
		return errElsewhere.Error(), true
	}
	if errors.Is(err, slack.ErrAPIResponseFailure) || errors.Is(err, slack.ErrWebhookResponseFailure) {
		for _, word := range refusedBySlack {
			if strings.HasSuffix(text, ": "+word) {
				return "Slack's answer " + word, true
			}
		}
	}
	for code := 300; code < 600; code++ {
		if phrase := http.StatusText(code); phrase != "" && strings.Contains(text, strconv.Itoa(code)+" "+phrase) {
			t := ofStatus(code)
			return t.why, t.final
		}
	}
	for _, class := range []struct{ why, words string }{
		{"no answer in time", "Client.Timeout|deadline exceeded|i/o timeout|timed out"},
		{"nobody listens", "connection refused"},
		{"its host is not known", "no such host|server misbehaving"},
		{"its certificate is not trusted", "x509: |tls: "},
		{"the connection was cut", "EOF|connection reset|broken pipe"},
	} {
		for words := range strings.SplitSeq(class.words, "|") {
			if strings.Contains(text, words) {
				return class.why, false
			}
		}
	}
	return "not taken", false
}
