package probe

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// names is a name server: what is asked for is at 127.0.0.1, by way of another name if it has one.
type names struct {
	alias string // empty: none
	short bool   // what it says in a packet is cut short
}

func (n names) answer(question []byte, packet bool) []byte {
	var m dnsmessage.Message
	if m.Unpack(question) != nil {
		return nil
	}
	m.Response, m.Additionals = true, nil
	if n.short && packet {
		m.Truncated = true
		b, _ := m.Pack()
		return b
	}
	name := m.Questions[0].Name
	if n.alias != "" {
		to := dnsmessage.MustNewName(n.alias)
		m.Answers = append(m.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: name, Type: dnsmessage.TypeCNAME, Class: dnsmessage.ClassINET, TTL: 5}, Body: &dnsmessage.CNAMEResource{CNAME: to},
		})
		name = to
	}
	if m.Questions[0].Type == dnsmessage.TypeA {
		m.Answers = append(m.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET, TTL: 5}, Body: &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}},
		})
	}
	b, _ := m.Pack()
	return b
}

// serve has it answer until the test ends.
func (n names) serve(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	before := dialServer
	dialServer = func(ctx context.Context, network, _ string) (net.Conn, error) {
		to := packets.LocalAddr()
		if strings.HasPrefix(network, "tcp") {
			to = listener.Addr()
		}
		return before(ctx, to.Network(), to.String())
	}
	t.Cleanup(func() {
		dialServer = before
		_ = listener.Close()
		_ = packets.Close()
	})
	go func() {
		for b := make([]byte, 1500); ; {
			size, from, err := packets.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = packets.WriteTo(n.answer(b[:size], true), from)
		}
	}()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			size := make([]byte, 2)
			if _, err := io.ReadFull(c, size); err == nil {
				question := make([]byte, binary.BigEndian.Uint16(size))
				_, _ = io.ReadFull(c, question)
				answer := n.answer(question, false)
				_, _ = c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
			}
			_ = c.Close()
		}
	}()
}

func TestWhatASearchPathPutIntoANameIsNoAlias(t *testing.T) {
	const name = "web.shop.svc.caprice.svc.cluster.local."
	for to, want := range map[string]bool{
		"web.shop.svc.cluster.local.": true, "WEB.shop.svc.Cluster.local.": true,
		"web.other.svc.cluster.local.": false, "web.shop.svc.example.": false, "web.shop.svc.evil.cluster.local.": false,
		"shop.svc.cluster.local.": false, "cluster.local.": false, "web.": false, name: false, ".": false, "": false,
	} {
		if got := found(name, to); got != want {
			t.Errorf("%s is %s: %v, want %v", name, to, got, want)
		}
	}
}

func TestANameOfTheNamespaceThatStandsForAnotherIsNotAsked(t *testing.T) {
	for _, test := range []struct {
		why  string
		by   names
		want string
	}{
		{"it stands for itself", names{}, "address 127.0.0.1 is of the host itself"},
		{"but for what a search path put into it", names{alias: "web.svc."}, "address 127.0.0.1 is of the host itself"},
		{"by a stream", names{short: true}, "address 127.0.0.1 is of the host itself"},
		{"it stands for another", names{alias: "db.other.svc.cluster.local."}, errAlias.Error()},
		{"it does, by a stream", names{alias: "db.other.svc.cluster.local.", short: true}, errAlias.Error()},
	} {
		t.Run(test.why, func(t *testing.T) {
			test.by.serve(t)
			if got := told(t, allowing(t, "*.{namespace}.svc"), HTTP{URL: "http://web.shop.svc.:8080/"}); !strings.Contains(got, test.want) {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}
