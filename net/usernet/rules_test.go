package usernet

import (
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestParseRule(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want Rule
		err  string
	}{
		{"example.com", Rule{Name: "example.com"}, ""},
		{"EXAMPLE.com.", Rule{Name: "example.com"}, ""},
		{"example.com:443", Rule{Name: "example.com", Low: 443, High: 443}, ""},
		{"example.com:8000-8100", Rule{Name: "example.com", Low: 8000, High: 8100}, ""},
		{"*.example.com:1-65535", Rule{Name: "*.example.com", Low: 1, High: 65535}, ""},
		{"bücher.example", Rule{Name: "xn--bcher-kva.example"}, ""},
		{"_srv._tcp.example.com", Rule{Name: "_srv._tcp.example.com"}, ""},
		{"localhost", Rule{Name: "localhost"}, ""},
		{"*", Rule{Name: "*"}, ""},
		{"all", Rule{Name: "*"}, ""},
		{"*:443", Rule{Name: "*", Low: 443, High: 443}, ""},
		{"198.51.100.7", Rule{Net: netip.MustParsePrefix("198.51.100.7/32")}, ""},
		{"198.51.100.7:53", Rule{Net: netip.MustParsePrefix("198.51.100.7/32"), Low: 53, High: 53}, ""},
		{"198.51.100.0/24", Rule{Net: netip.MustParsePrefix("198.51.100.0/24")}, ""},
		{"198.51.100.0/24:80", Rule{Net: netip.MustParsePrefix("198.51.100.0/24"), Low: 80, High: 80}, ""},
		{"0.0.0.0/0", Rule{Net: netip.MustParsePrefix("0.0.0.0/0")}, ""},
		{"2001:db8::1", Rule{Net: netip.MustParsePrefix("2001:db8::1/128")}, ""},
		{"[2001:db8::1]:443", Rule{Net: netip.MustParsePrefix("2001:db8::1/128"), Low: 443, High: 443}, ""},
		{"[2001:db8::1]", Rule{Net: netip.MustParsePrefix("2001:db8::1/128")}, ""},
		{"2001:db8::/32", Rule{Net: netip.MustParsePrefix("2001:db8::/32")}, ""},
		{"[2001:db8::/32]:443", Rule{Net: netip.MustParsePrefix("2001:db8::/32"), Low: 443, High: 443}, ""},
		{"[2001:db8::]/32:443", Rule{Net: netip.MustParsePrefix("2001:db8::/32"), Low: 443, High: 443}, ""},
		{"::ffff:1.2.3.4", Rule{Net: netip.MustParsePrefix("1.2.3.4/32")}, ""},

		{"", Rule{}, "no name"},
		{"https://example.com/", Rule{}, "URL"},
		{"example.com/path", Rule{}, "no network"},
		{"198.51.100.7/24", Rule{}, "198.51.100.0/24"},
		{"198.51.100.0/33", Rule{}, "no network"},
		{"::ffff:1.2.3.0/120", Rule{}, "no network"},
		{"fe80::1%eth0", Rule{}, "no name"},
		{"example.com:", Rule{}, "no port"},
		{"example.com:0", Rule{}, "no port"},
		{"example.com:65536", Rule{}, "no port"},
		{"example.com:90-80", Rule{}, "no port"},
		{"example.com:http", Rule{}, "no port"},
		{"ex ample", Rule{}, "no name"},
		{"a..b", Rule{}, "no name"},
		{"foo.*.com", Rule{}, "no name"},
		{"**.com", Rule{}, "no name"},
		{"*.", Rule{}, "no name"},
		{strings.Repeat("a", 64) + ".com", Rule{}, "no name"},
		{"[::1", Rule{}, "no name"},
	} {
		got, err := ParseRule(tt.in)
		tt.want.text = tt.in
		if tt.err == "" && (err != nil || got != tt.want) || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
			t.Errorf("%q: %+v, %v; want %+v, %q", tt.in, got, err, tt.want, tt.err)
		}
	}
}

// FuzzParseRule: no rule matches more than it says, and none is half read.
func FuzzParseRule(f *testing.F) {
	for _, s := range []string{"example.com:443", "*.example.com", "198.51.100.0/24:80-90", "[2001:db8::/32]:1", "[2001:db8::]/32:443", "*", "bücher.example", "[", ":", "a:b:c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRule(s)
		if err != nil {
			if r != (Rule{}) {
				t.Errorf("%q: %+v, %v", s, r, err)
			}
			return
		}
		if (r.Name == "") == !r.Net.IsValid() || r.Low > r.High || r.Low == 0 && r.High != 0 {
			t.Errorf("%q: %+v", s, r)
		}
		if again, err := ParseRule(r.Name); r.Name != "" && (err != nil || again.Name != r.Name) {
			t.Errorf("%q: %q is read as %q, %v", s, r.Name, again.Name, err)
		}
	})
}

func rules(t testing.TB, texts ...string) (list []Rule) {
	t.Helper()
	for _, s := range texts {
		r, err := ParseRule(s)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	return list
}

// flow is a flow from a text: "tcp 1.2.3.4:80 name name".
func testFlow(s string, reach Reach) Flow {
	words := strings.Fields(s)
	return Flow{Network: words[0], Remote: netip.MustParseAddrPort(words[1]), Reach: reach, Names: words[2:]}
}

func TestRules(t *testing.T) {
	words := strings.Fields
	for _, tt := range []struct {
		allow, deny      string
		private, host    bool
		open, closed     []string // of public addresses
		privateOpen      []string
		privateClosed    []string
		names, notNamed  string
		hostOpen, inward bool
	}{
		{
			open: []string{"tcp 1.2.3.4:80", "udp 1.2.3.4:9 x.example", "icmp 1.2.3.4:0", "tcp [2606:4700::1]:80"}, privateClosed: []string{"tcp 10.1.1.1:80", "tcp 10.1.1.1:80 x.example"},
			names: "anything a.b.c", inward: true,
		},
		{private: true, open: []string{"tcp 1.2.3.4:80"}, privateOpen: []string{"tcp 10.1.1.1:80", "icmp 10.1.1.1:0"}, inward: true},
		{host: true, hostOpen: true, inward: true, privateClosed: []string{"tcp 10.1.1.1:80"}},
		{
			allow: "example.com:443 *.api.example", open: []string{"tcp 1.2.3.4:443 example.com", "tcp 1.2.3.4:443 other.org example.com", "tcp 1.2.3.4:9 a.b.api.example", "icmp 1.2.3.4:0 v1.api.example"},
			closed:        []string{"tcp 1.2.3.4:443", "tcp 1.2.3.4:80 example.com", "tcp 1.2.3.4:443 www.example.com", "tcp 1.2.3.4:443 api.example", "tcp 1.2.3.4:443 xapi.example", "icmp 1.2.3.4:0 example.com", "udp 8.8.8.8:53"},
			privateClosed: []string{"tcp 10.1.1.1:443 example.com"}, // what the name's owner says counts for nothing here
			names:         "example.com v1.api.example a.b.api.example", notNamed: "www.example.com api.example com example.com.evil.org xexample.com", inward: true,
		},
		{
			allow: "1.2.3.0/24:80 10.1.0.0/16 192.168.7.7:22 8.8.8.8", open: []string{"tcp 1.2.3.4:80", "udp 8.8.8.8:53", "icmp 8.8.8.8:0"}, closed: []string{"tcp 1.2.3.4:81", "tcp 1.2.4.4:80", "icmp 1.2.3.4:0", "tcp 1.2.5.4:80 example.com"},
			privateOpen: []string{"tcp 10.1.9.9:80", "tcp 192.168.7.7:22"}, privateClosed: []string{"tcp 10.2.0.1:80", "tcp 192.168.7.7:23"}, notNamed: "example.com", inward: true,
		},
		{allow: "0.0.0.0/0", open: []string{"tcp 1.2.3.4:80"}, closed: []string{"tcp [2606:4700::1]:80"}, privateClosed: []string{"tcp 10.1.1.1:80"}, notNamed: "example.com", inward: true},
		{allow: "*", open: []string{"tcp 1.2.3.4:80", "tcp [2606:4700::1]:80"}, privateClosed: []string{"tcp 10.1.1.1:80"}, names: "example.com", inward: true},
		{allow: "*:443", open: []string{"tcp 1.2.3.4:443"}, closed: []string{"tcp 1.2.3.4:80", "icmp 1.2.3.4:0"}, names: "example.com", inward: true},
		{
			deny: "evil.example 9.9.9.0/24 *:25", open: []string{"tcp 1.2.3.4:80"}, closed: []string{"tcp 1.2.3.4:80 evil.example", "tcp 9.9.9.9:53", "icmp 9.9.9.9:0", "tcp 1.2.3.4:25"},
			names: "example.com sub.evil.example", notNamed: "evil.example", inward: true,
		},
		{deny: "example.com:80", open: []string{"tcp 1.2.3.4:443 example.com"}, closed: []string{"tcp 1.2.3.4:80 example.com"}, names: "example.com", inward: true},
		{allow: "example.com", deny: "1.2.3.0/24", open: []string{"tcp 4.4.4.4:80 example.com"}, closed: []string{"tcp 1.2.3.4:80 example.com"}, names: "example.com", inward: true},
		{allow: "example.com", deny: "all", closed: []string{"tcp 4.4.4.4:80 example.com"}, notNamed: "example.com"},
		{deny: "5.5.5.0/24", inward: false, closed: []string{"tcp 5.5.5.5:80"}},
		{deny: "5.5.5.5:1234", inward: true, closed: []string{"tcp 5.5.5.5:1234"}},
		{allow: "10.0.2.2:5432", host: true, hostOpen: true, inward: true},
		{allow: "10.0.2.2:5432", inward: true},
		{allow: "example.com", host: true, inward: true},
		{allow: "example.com", private: true, privateOpen: []string{"tcp 10.1.1.1:80 example.com"}, privateClosed: []string{"tcp 10.1.1.1:80"}, inward: true},
	} {
		p := &Rules{HostLoopback: tt.host, PrivateNetworks: tt.private, Allow: rules(t, words(tt.allow)...), Deny: rules(t, words(tt.deny)...)}
		check := func(f Flow, want bool) {
			if err := p.Connect(f); (err == nil) != want {
				t.Errorf("allow %q, deny %q, %+v: %v, want %v", tt.allow, tt.deny, f, err, want)
			}
		}
		for _, s := range tt.open {
			check(testFlow(s, Public), true)
		}
		for _, s := range tt.closed {
			check(testFlow(s, Public), false)
		}
		for _, s := range tt.privateOpen {
			check(testFlow(s, Private), true)
		}
		for _, s := range tt.privateClosed {
			check(testFlow(s, Private), false)
		}
		check(testFlow("tcp 10.0.2.2:5432", Host), tt.hostOpen)
		check(testFlow("tcp 127.0.0.1:5432", Never), false)
		check(Flow{Network: "tcp", Inbound: true, Remote: netip.MustParseAddrPort("5.5.5.5:1234")}, tt.inward)
		for _, name := range words(tt.names) {
			if err := p.Lookup(name); err != nil {
				t.Errorf("allow %q, deny %q: %s: %v", tt.allow, tt.deny, name, err)
			}
		}
		for _, name := range words(tt.notNamed) {
			if p.Lookup(name) == nil {
				t.Errorf("allow %q, deny %q: %s may be asked for", tt.allow, tt.deny, name)
			}
		}
	}
	if only := (&Rules{Only: true}); only.Lookup("example.com") == nil || only.Connect(testFlow("tcp 1.2.3.4:80", Public)) == nil {
		t.Error("Only closes nothing")
	}
}

// TestDefaultsTable: the documentation has the table that the code goes by.
func TestDefaultsTable(t *testing.T) {
	text, err := os.ReadFile("../../SPECIFICATION.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), DefaultsTable()) {
		t.Errorf("SPECIFICATION.md has another table than\n%s", DefaultsTable())
	}
	for r, d := range Defaults {
		want := slices.Contains([]Reach{Public}, Reach(r))
		if err := new(Rules).Connect(Flow{Network: "tcp", Reach: Reach(r), Remote: publicPort}); (err == nil) != d.Open || d.Open != want {
			t.Errorf("%s: %v", d.What, err)
		}
	}
}
