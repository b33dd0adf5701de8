package probe

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
)

// metadata are the addresses besides the link-local ones at which clouds tell machines their secrets.
var metadata = []netip.Prefix{
	netip.MustParsePrefix("fd00:ec2::/32"),          // Amazon's, that of pods' identities included
	netip.MustParsePrefix("fd20:ce::254/128"),       // Google's
	netip.MustParsePrefix("fd00:c1::a9fe:a9fe/128"), // Oracle's
	netip.MustParsePrefix("fd00:42::42/128"),        // Scaleway's
	netip.MustParsePrefix("fd00:a9fe:a9fe::1/128"),  // Akamai's
	netip.MustParsePrefix("100.100.100.200/32"),     // Alibaba's
	netip.MustParsePrefix("168.63.129.16/32"),       // Azure's
	netip.MustParsePrefix("192.0.0.192/32"),         // Oracle's of old
}

var thisNetwork = netip.MustParsePrefix("0.0.0.0/8")

// translated are IPv6 addresses that stand for one of IPv4, and the byte with which that begins in them.
var translated = []struct {
	netip.Prefix
	first int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12},    // RFC 6052
	{netip.MustParsePrefix("64:ff9b:1::/48"), 12},  // RFC 8215, of which networks mostly use the last 96 bits so
	{netip.MustParsePrefix("::/96"), 12},           // RFC 4291, IPv4-compatible
	{netip.MustParsePrefix("::ffff:0:0:0/96"), 12}, // RFC 2765, IPv4-translated
	{netip.MustParsePrefix("2002::/16"), 2},        // RFC 3056, 6to4
}

// refused tells why nobody is asked at an IP address, or nothing.
func refused(ip netip.Addr) string {
	ip = ip.Unmap().WithZone("")
	for _, t := range translated {
		if t.Contains(ip) && !ip.IsLoopback() && !ip.IsUnspecified() {
			b := ip.As16()
			if why := refused(netip.AddrFrom4([4]byte(b[t.first:]))); why != "" {
				return why
			}
		}
	}
	switch {
	case ip.IsLoopback():
		return "of the host itself"
	case ip.IsLinkLocalUnicast():
		return "link-local"
	case ip.IsUnspecified(), thisNetwork.Contains(ip), ip.IsMulticast(), ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return "not of one host"
	}
	for _, m := range metadata {
		if m.Contains(ip) {
			return "where clouds keep secrets"
		}
	}
	return ""
}

// client returns a client for what an address of the operator's covers. Each request has a connection of its own, to an IP
// address that is looked at when it is known: a name cannot come to mean another one in between. Redirects are answers.
func client(by address) *http.Client {
	dialer := net.Dialer{Control: func(_, peer string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(peer)
		if err != nil {
			return fmt.Errorf("address %s: %w", peer, err)
		}
		if why := refused(to.Addr()); why != "" && !by.names(to.Addr().Unmap()) {
			return fmt.Errorf("address %s is %s, and refused unless that very address is named", to.Addr(), why)
		}
		return nil
	}}
	if by.ofNamespace() {
		dialer.Resolver = unaliased
	}
	return &http.Client{
		Transport: &http.Transport{
			DialContext: dialer.DialContext, DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: most,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
