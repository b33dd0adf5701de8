package probe

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
)

// metadata are the addresses besides the link-local ones at which clouds tell machines their secrets.
var metadata = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"),
	netip.MustParseAddr("100.100.100.200"),
	netip.MustParseAddr("168.63.129.16"),
	netip.MustParseAddr("192.0.0.192"),
}

var (
	thisNetwork = netip.MustParsePrefix("0.0.0.0/8")
	translated  = []netip.Prefix{netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("::/96")}
)

// refused tells why nobody is asked at an IP address, or nothing.
func refused(ip netip.Addr) string {
	ip = ip.Unmap().WithZone("")
	for _, p := range translated {
		if p.Contains(ip) && !ip.IsLoopback() && !ip.IsUnspecified() { // IPv4 in the last four bytes
			b := ip.As16()
			return refused(netip.AddrFrom4([4]byte(b[12:])))
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
		if ip == m {
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
			return fmt.Errorf("address %s is %s, and refused unless PROBE_URLS names it", to.Addr(), why)
		}
		return nil
	}}
	return &http.Client{
		Transport: &http.Transport{
			DialContext: dialer.DialContext, DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: most,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
