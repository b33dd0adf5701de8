package probe

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"slices"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// unaliased resolves names as long as they stand for no other. That of a Service of type ExternalName does: its owner, who may
// write in one namespace, says where it leads.
var unaliased = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, server string) (net.Conn, error) {
	conn, err := dialServer(ctx, network, server)
	if err != nil {
		return nil, err
	}
	if c, is := conn.(*net.UDPConn); is {
		return packets{c}, nil
	}
	return &stream{Conn: conn}, nil
}}

// dialServer connects to a name server.
var dialServer = new(net.Dialer).DialContext

var errAlias = errors.New("it stands for another name, as a Service of type ExternalName does: want a Service of the hypothesis's own namespace")

// packets are answers of a name server, each in a packet of its own.
type packets struct{ *net.UDPConn }

// Read reads an answer.
func (p packets) Read(b []byte) (int, error) {
	n, err := p.UDPConn.Read(b)
	if err == nil && aliased(b[:n]) {
		return 0, errAlias
	}
	return n, err
}

// stream is an answer of a name server after its length, in two bytes.
type stream struct {
	net.Conn
	got []byte
}

// Read reads more of the answer.
func (s *stream) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	s.got = append(s.got, b[:n]...)
	if len(s.got) >= 2 && len(s.got) >= 2+int(binary.BigEndian.Uint16(s.got)) && aliased(s.got[2:]) {
		return 0, errAlias
	}
	return n, err
}

// aliased tells whether a name server's answer says that a name stands for another, or cannot be read. One that was cut short says
// nothing: it is asked for again.
func aliased(message []byte) bool {
	var p dnsmessage.Parser
	header, err := p.Start(message)
	if err == nil && header.Truncated {
		return false
	}
	var m dnsmessage.Message
	return m.Unpack(message) != nil || slices.ContainsFunc(m.Answers, func(r dnsmessage.Resource) bool {
		to, is := r.Body.(*dnsmessage.CNAMEResource)
		return is && !found(r.Header.Name.String(), to.CNAME.String()) || r.Header.Type == dname
	})
}

// found tells whether a name server has only left out of a name what a search path put into it, as CoreDNS does with autopath:
// web.shop.svc.caprice.svc.cluster.local is web.shop.svc.cluster.local then. What ends otherwise is elsewhere.
func found(name, to string) bool {
	from, in := strings.Split(strings.ToLower(name), "."), strings.Split(strings.ToLower(to), ".")
	begin, end := 0, 0
	for begin < len(in) && begin < len(from) && in[begin] == from[begin] {
		begin++
	}
	for end < len(in) && end < len(from) && in[len(in)-1-end] == from[len(from)-1-end] {
		end++
	}
	const root = 1 // what is behind the last dot
	return len(in) < len(from) && begin > 0 && end > root && begin+end >= len(in)
}

// dname is the type of a record by which a whole domain stands for another: RFC 6672.
const dname dnsmessage.Type = 39
