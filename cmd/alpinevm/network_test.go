package main

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"alpinevm"
	"alpinevm/net/usernet"
)

func TestParseForward(t *testing.T) {
	local := netip.MustParseAddr("127.0.0.1")
	for _, tt := range []struct {
		in   string
		want usernet.Forward
		err  string
	}{
		{"8080:80", usernet.Forward{Network: "tcp", Port: 8080, Guest: 80}, ""},
		{"80", usernet.Forward{Network: "tcp", Guest: 80}, ""},
		{"8080:80/tcp", usernet.Forward{Network: "tcp", Port: 8080, Guest: 80}, ""},
		{"127.0.0.1:53:5353/udp", usernet.Forward{Network: "udp", Host: local, Port: 53, Guest: 5353}, ""},
		{"127.0.0.1::80", usernet.Forward{Network: "tcp", Host: local, Guest: 80}, ""},
		{"[::1]:8080:80", usernet.Forward{Network: "tcp", Host: netip.IPv6Loopback(), Port: 8080, Guest: 80}, ""},
		{"8080:80/sctp", usernet.Forward{}, "protocol"},
		{"8080:", usernet.Forward{}, "port of the guest"},
		{"8080:0", usernet.Forward{}, "port of the guest"},
		{"8080:65536", usernet.Forward{}, "port of the guest"},
		{"70000:80", usernet.Forward{}, "port of the host"},
		{"localhost:8080:80", usernet.Forward{}, "IP address"},
	} {
		got, err := parseForward(tt.in)
		if tt.err == "" && (err != nil || got != tt.want) || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
			t.Errorf("%q: %+v, %v; want %+v, %q", tt.in, got, err, tt.want, tt.err)
		}
	}
}

func TestParseHost(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want alpinevm.Host
		ok   bool
	}{
		{"db:10.1.2.3", alpinevm.Host{Name: "db", Addr: netip.MustParseAddr("10.1.2.3")}, true},
		{"db=10.1.2.3", alpinevm.Host{Name: "db", Addr: netip.MustParseAddr("10.1.2.3")}, true},
		{"db:fd00::1", alpinevm.Host{Name: "db", Addr: netip.MustParseAddr("fd00::1")}, true},
		{"db:[fd00::1]", alpinevm.Host{Name: "db", Addr: netip.MustParseAddr("fd00::1")}, true},
		{"host:host-gateway", alpinevm.Host{Name: "host", Addr: usernet.GatewayIP}, true},
		{":10.1.2.3", alpinevm.Host{}, false},
		{"a b:10.1.2.3", alpinevm.Host{}, false},
		{"db:there", alpinevm.Host{}, false},
		{"db", alpinevm.Host{}, false},
	} {
		got, err := parseHost(tt.in)
		if (err == nil) != tt.ok || tt.ok && got != tt.want {
			t.Errorf("%q: %+v, %v; want %+v", tt.in, got, err, tt.want)
		}
	}
}

func TestNetworkFlags(t *testing.T) {
	for _, tt := range []struct {
		flags         networkFlags
		deterministic bool
		network       bool
		err           string
	}{
		{networkFlags{}, false, true, ""},
		{networkFlags{}, true, false, ""},
		{networkFlags{kind: "user"}, true, true, ""},
		{networkFlags{kind: "none"}, false, false, ""},
		{networkFlags{kind: "none", publish: []string{"80:80"}}, false, false, "--publish"},
		{networkFlags{kind: "host"}, false, false, "a guest has a network of its own"},
		{networkFlags{mac: "52:54:00:00:00:01"}, false, true, ""},
		{networkFlags{mac: "52:54:00:00:00:01:02:03"}, false, false, "MAC address"},
		{networkFlags{dns: []string{"9.9.9.9", "127.0.0.1:5353"}}, false, true, ""},
		{networkFlags{dns: []string{"resolver"}}, false, false, "name server"},
	} {
		cfg, err := tt.flags.config(tt.deterministic)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%+v: %v, want %q", tt.flags, err, tt.err)
			}
			continue
		}
		if err != nil || (cfg != nil) != tt.network {
			t.Errorf("%+v: %+v, %v", tt.flags, cfg, err)
			continue
		}
		if tt.flags.dns != nil {
			want := []netip.AddrPort{netip.MustParseAddrPort("9.9.9.9:53"), netip.MustParseAddrPort("127.0.0.1:5353")}
			if !reflect.DeepEqual(cfg.DNS.Servers, want) {
				t.Errorf("name servers %v, want %v", cfg.DNS.Servers, want)
			}
		}
	}
}
