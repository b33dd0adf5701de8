package probe

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"strings"
)

// Addresses are those that may be probed.
type Addresses []address

// address is one or more hosts, by a glob, and what of them may be asked for. What it leaves out may be any.
type address struct{ scheme, host, port, path string }

// ownNamespace stands in an address for the namespace of the hypothesis.
const ownNamespace = "{namespace}"

// UnmarshalText reads addresses separated by commas, as in *.{namespace}.svc or https://status.example:8443/api, or nothing.
func (a *Addresses) UnmarshalText(b []byte) error {
	*a = nil
	if len(b) == 0 {
		return nil
	}
	for text := range strings.SplitSeq(string(b), ",") {
		read, err := readAddress(strings.TrimSpace(text))
		if err != nil {
			return fmt.Errorf("address %q: %w", text, err)
		}
		*a = append(*a, read)
	}
	return nil
}

// String returns the addresses, separated by commas.
func (a Addresses) String() string {
	texts := make([]string, len(a))
	for i, one := range a {
		texts[i] = one.String()
	}
	return strings.Join(texts, ",")
}

func (a address) String() string {
	text := a.host
	if strings.Contains(a.host, ":") {
		text = "[" + a.host + "]"
	}
	if a.scheme != "" {
		text = a.scheme + "://" + text
	}
	if a.port != "" {
		text += ":" + a.port
	}
	return text + a.path
}

var (
	hostPattern = regexp.MustCompile(`^[-a-z0-9.*:]+$`)
	portPattern = regexp.MustCompile(`^[0-9]{1,5}$`)
)

func readAddress(text string) (address, error) {
	var a address
	if scheme, rest, ok := strings.Cut(text, "://"); ok {
		if scheme != "http" && scheme != "https" {
			return a, errors.New("want http or https")
		}
		a.scheme, text = scheme, rest
	}
	host, rest, ok := strings.Cut(text, "/")
	if ok {
		a.path = "/" + rest
	}
	a.host = host
	if bare, port, err := net.SplitHostPort(host); err == nil {
		if a.host, a.port = bare, port; !portPattern.MatchString(port) {
			return a, errors.New("want a number as its port")
		}
	}
	a.host = strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(a.host, "["), "]"))
	if !hostPattern.MatchString(strings.ReplaceAll(a.host, ownNamespace, "")+"a") || a.host == "" || a.host == ownNamespace || strings.ContainsAny(a.path, "?#*{") {
		return a, errors.New("want a host, with * and {namespace} where they are meant, and if need be a scheme, a port and the beginning of a path, as in *.{namespace}.svc or https://status.example:8443/api")
	}
	return a, nil
}

// match returns the address that covers a URL that a hypothesis in a namespace names: of several the first that is no glob, which may
// allow more than one that is.
func (a Addresses) match(u *url.URL, namespace string) (by address, ok bool) {
	for _, one := range a {
		if !one.covers(u, namespace) {
			continue
		}
		if !ok || !strings.Contains(one.host, "*") && strings.Contains(by.host, "*") {
			by, ok = one, true
		}
	}
	return by, ok
}

// ofNamespace tells whether it is of hosts of the hypothesis's own namespace.
func (a address) ofNamespace() bool { return strings.Contains(a.host, ownNamespace) }

func (a address) covers(u *url.URL, namespace string) bool {
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	glob := strings.ReplaceAll(a.host, ownNamespace, namespace)
	if ok, err := path.Match(glob, host); !ok || err != nil || host == "" {
		return false
	}
	usual, spoken := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	port := u.Port()
	if port == "" {
		port = usual
	}
	return spoken && (a.scheme == "" || a.scheme == u.Scheme) && (a.port == "" || a.port == port) && a.leadsTo(u)
}

// leadsTo tells whether a URL's path is the one of the address or below it, however a server reads dots in it.
func (a address) leadsTo(u *url.URL) bool {
	if a.path == "" || a.path == "/" {
		return true
	}
	within := strings.TrimSuffix(a.path, "/")
	for _, p := range []string{u.Path, u.EscapedPath()} {
		if p != within && !strings.HasPrefix(p, within+"/") || strings.Contains(p, "/.") || strings.Contains(p, `\`) || strings.Contains(p, "%") {
			return false
		}
	}
	return true
}

// names tells whether the operator has named that very IP address, or by localhost one of the host itself.
func (a address) names(ip netip.Addr) bool {
	named, err := netip.ParseAddr(a.host)
	return err == nil && named.Unmap() == ip || a.host == "localhost" && ip.IsLoopback()
}

// Server is the URL of a Prometheus, or none. The operator names it, so it may be asked wherever it is.
type Server struct{ *url.URL }

// UnmarshalText reads a URL, or nothing.
func (s *Server) UnmarshalText(b []byte) error {
	s.URL = nil
	if len(b) == 0 {
		return nil
	}
	u, err := url.Parse(string(b))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("want the URL of a Prometheus, without a password, as in http://prometheus.monitoring.svc:9090")
	}
	s.URL = u
	return nil
}

// String returns the URL, or nothing.
func (s Server) String() string {
	if s.URL == nil {
		return ""
	}
	return s.URL.String()
}

// address is the server's own.
func (s Server) address() address { return address{host: strings.ToLower(s.Hostname())} }
