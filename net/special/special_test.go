package special

import (
	"net/netip"
	"testing"
)

func TestOf(t *testing.T) {
	for addr, want := range map[string]Scope{
		"8.8.8.8": Public, "1.1.1.1": Public, "172.15.255.255": Public, "172.32.0.0": Public, "100.63.255.255": Public, "100.128.0.0": Public,
		"192.167.0.1": Public, "198.17.255.255": Public, "168.63.129.15": Public, "223.255.255.255": Public, "192.0.3.1": Public,
		"2606:4700::1111": Public, "2001:200::1": Public, "2a00::5efe:1": Public,
		"127.0.0.1": LoopBack, "127.255.0.9": LoopBack, "::1": LoopBack, "::ffff:127.0.0.1": LoopBack,
		"10.0.0.1": Private, "10.255.255.255": Private, "172.16.0.1": Private, "172.31.9.9": Private, "192.168.1.1": Private, "100.64.0.1": Private, "100.127.1.1": Private,
		"fc00::1": Private, "fdff::1": Private, "fec0::1": Private, "64:ff9b:1::1": Private, "::ffff:10.0.0.1": Private,
		"169.254.169.254": LinkLocal, "fe80::1": LinkLocal, "fe80::1%eth0": LinkLocal, "febf::1": LinkLocal, "168.63.129.16": LinkLocal, "::ffff:169.254.169.254": LinkLocal,
		"0.0.0.0": Reserved, "0.1.2.3": Reserved, "192.0.0.1": Reserved, "192.0.2.1": Reserved, "192.31.196.1": Reserved, "192.52.193.1": Reserved,
		"192.88.99.1": Reserved, "192.175.48.1": Reserved, "198.18.0.1": Reserved, "198.19.255.255": Reserved, "198.51.100.7": Reserved, "203.0.113.7": Reserved,
		"224.0.0.1": Reserved, "239.1.1.1": Reserved, "240.0.0.1": Reserved, "255.255.255.255": Reserved,
		"::": Reserved, "::2": Reserved, "::10.0.0.1": Reserved, "::ffff:0:10.0.0.1": Reserved, "100::1": Reserved, "1fff::1": Reserved, "4000::1": Reserved,
		"2001:db8::1": Reserved, "2001::1": Reserved, "2001:0:808:808::1": Reserved, "2001:1ff::1": Reserved, "ff02::1": Reserved, "3fff::1": Reserved, "5f00::1": Reserved, "fbff::1": Reserved,
		// IPv4 inside of IPv6
		"64:ff9b::8.8.8.8": Public, "2002:808:808::1": Public, "2a00::5efe:8.8.8.8": Public, "2a00::200:5efe:8.8.8.8": Public,
		"64:ff9b::127.0.0.1": LoopBack, "2002:7f00:1::": LoopBack, "2a00::5efe:127.0.0.1": LoopBack,
		"64:ff9b::10.0.0.1": Private, "2002:a00:1::": Private, "2002:c0a8:101::1": Private, "2a00::5efe:10.0.0.1": Private, "2a00::200:5efe:192.168.1.1": Private,
		"64:ff9b::169.254.169.254": LinkLocal, "2002:a9fe:a9fe::": LinkLocal, "64:ff9b::224.0.0.1": Reserved,
	} {
		if got := Of(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
	if Of(netip.Addr{}) != Reserved {
		t.Error("no address is public")
	}
}

func TestWithin(t *testing.T) {
	for net, want := range map[string]bool{
		"10.0.0.0/8": true, "10.1.0.0/16": true, "192.168.1.1/32": true, "fd00::/8": true, "fd00::1/128": true, "127.0.0.0/8": true,
		"0.0.0.0/0": false, "8.0.0.0/6": false, "192.0.0.0/8": false, "8.8.8.8/32": false, "::/0": false, "2000::/3": false, "2606:4700::/32": false,
	} {
		if got := Within(netip.MustParsePrefix(net)); got != want {
			t.Errorf("%s: %v", net, got)
		}
	}
}
