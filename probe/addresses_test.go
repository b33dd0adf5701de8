package probe

import (
	"net/netip"
	"net/url"
	"testing"
)

func TestWhichURLsAnAddressCovers(t *testing.T) {
	const services = "*.{namespace}.svc,*.{namespace}.svc.cluster.local"
	for _, test := range []struct {
		why, allowed, url string
		want              bool
	}{
		{"a Service of the namespace", services, "http://web.shop.svc/", true},
		{"by its long name", services, "https://web.shop.svc.cluster.local:8443/healthz?full=1", true},
		{"in capitals and with the last dot", services, "http://WEB.shop.SVC.", true},
		{"a pod of a Service", services, "http://db-0.db.shop.svc", true},
		{"a Service of another namespace", services, "http://web.team.svc", false},
		{"of one whose name ends the same", services, "http://web.workshop.svc", false},
		{"a name that goes on", services, "http://web.shop.svc.example", false},
		{"a name before the host", services, "http://web.shop.svc@example/", false},
		{"a short name", services, "http://web", false},
		{"a scheme that is none of both", services, "ftp://web.shop.svc:21", false},
		{"any Service", "*.svc", "http://web.team.svc", true},
		{"nothing", "", "http://web.shop.svc", false},
		{"its scheme", "https://status.example", "https://status.example/x", true},
		{"another scheme", "https://status.example", "http://status.example/x", false},
		{"its port", "status.example:8443", "https://status.example:8443", true},
		{"another port", "status.example:8443", "https://status.example", false},
		{"the usual port", "https://status.example:443", "https://status.example", true},
		{"its path", "status.example/api", "http://status.example/api", true},
		{"below its path", "status.example/api/", "http://status.example/api/v1", true},
		{"a path that begins the same", "status.example/api", "http://status.example/apis", false},
		{"out of its path", "status.example/api", "http://status.example/api/../admin", false},
		{"out of its path in code", "status.example/api", "http://status.example/api/%2e%2e/admin", false},
		{"in code of code, which a server may read twice", "status.example/api", "http://status.example/api/%252e%252e/admin", false},
		{"in code that is none", "status.example/api", "http://status.example/api/%c0%ae%c0%ae/admin", false},
		{"out of its path by a backslash", "status.example/api", "http://status.example/api/..\\admin", false},
		{"an IPv6 address", "[2001:db8::1]:80", "http://[2001:db8::1]", true},
	} {
		t.Run(test.why, func(t *testing.T) {
			var a, again Addresses
			if err := a.UnmarshalText([]byte(test.allowed)); err != nil {
				t.Fatal(err)
			}
			if err := again.UnmarshalText([]byte(a.String())); err != nil || again.String() != a.String() {
				t.Errorf("%s reads back as %s, %v", a, again, err)
			}
			u, err := url.Parse(test.url)
			if err != nil {
				t.Fatal(err)
			}
			if _, got := a.match(u, "shop"); got != test.want {
				t.Errorf("%s covers %s: %t, want %t", a, u, got, test.want)
			}
		})
	}
}

func TestAddressesThatAreNone(t *testing.T) {
	for _, text := range []string{",", "ftp://web", "http://", "{namespace}", "web shop", "web:http", "web/a?b", "web/*", "we[b]", "user@web"} {
		var a Addresses
		if err := a.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is read as %v", text, a)
		}
	}
	for _, text := range []string{"prometheus:9090", "ftp://prometheus", "http://", "http://a:b@prometheus", "http://prometheus?x"} {
		var s Server
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is read as %v", text, s)
		}
	}
}

func TestWhichIPAddressesAreRefused(t *testing.T) {
	for _, test := range []struct {
		ip      string
		refused bool
	}{
		{"10.0.0.1", false}, {"192.168.1.1", false}, {"8.8.8.8", false}, {"2001:db8::1", false}, {"fd00::1", false},
		{"127.0.0.1", true}, {"127.255.0.1", true}, {"::1", true}, {"::ffff:127.0.0.1", true},
		{"169.254.169.254", true}, {"169.254.0.1", true}, {"fe80::1", true}, {"fe80::1%eth0", true}, {"febf::1", true}, {"::ffff:169.254.169.254", true},
		{"64:ff9b::a9fe:a9fe", true}, {"64:ff9b::808:808", false}, {"::169.254.169.254", true},
		{"fd00:ec2::254", true}, {"fd00:ec2::254%eth0", true}, {"100.100.100.200", true}, {"168.63.129.16", true}, {"192.0.0.192", true},
		{"fd00:ec2::23", true}, {"fd20:ce::254", true}, {"fd00:c1::a9fe:a9fe", true}, {"fd00:42::42", true}, {"fd00:a9fe:a9fe::1", true},
		{"64:ff9b:1::a9fe:a9fe", true}, {"2002:a9fe:a9fe::1", true}, {"::ffff:0:169.254.169.254", true}, {"2002:808:808::1", false},
		{"0.0.0.0", true}, {"0.1.2.3", true}, {"::", true}, {"255.255.255.255", true}, {"224.0.0.1", true}, {"ff02::1", true},
	} {
		if why := refused(netip.MustParseAddr(test.ip)); (why != "") != test.refused {
			t.Errorf("%s is refused as %q, want it refused: %t", test.ip, why, test.refused)
		}
	}
}
