package usernet

import (
	"errors"
	"net/netip"
	"testing"
)

// TestReach: what each flag opens, and that nothing of the host's or of its links
// is reached without.
func TestReach(t *testing.T) {
	nets := []netip.Prefix{
		netip.MustParsePrefix("127.0.0.1/8"), netip.MustParsePrefix("5.6.7.8/26"), netip.MustParsePrefix("192.168.7.3/24"),
		netip.MustParsePrefix("9.9.9.1/32"), netip.MustParsePrefix("4.4.4.4/0"), netip.MustParsePrefix("2001:db8::1/64"), netip.MustParsePrefix("::ffff:8.8.4.4/128"),
	}
	var fails error
	n := &Network{pins: newPins(), cfg: Config{HostNetworks: func() ([]netip.Prefix, error) { return nets, fails }}}
	for addr, want := range map[string]Reach{
		"1.1.1.1": Public, "5.6.7.128": Public, "168.63.129.15": Public, "9.9.9.2": Public, "192.0.3.1": Public,
		// the host's own addresses, whatever they are
		"5.6.7.8": Host, "192.168.7.3": Host, "9.9.9.1": Host, "4.4.4.4": Host, "8.8.4.4": Host, "10.0.2.2": Host,
		// its links
		"5.6.7.9": Private, "5.6.7.63": Private, "192.168.7.4": Private,
		// special ranges, first and last address
		"10.0.0.0": Private, "10.255.255.255": Private, "100.64.0.0": Private, "100.127.255.255": Private, "168.63.129.16": Private,
		"169.254.169.254": Private, "172.16.0.1": Private, "172.31.255.255": Private, "192.0.0.8": Private, "192.0.2.1": Private,
		"192.31.196.1": Private, "192.52.193.1": Private, "192.88.99.1": Private, "192.168.255.255": Private, "192.175.48.1": Private,
		"198.18.0.1": Private, "198.19.255.255": Private, "198.51.100.1": Private, "203.0.113.255": Private,
		// no addresses of one host, and our own network
		"0.0.0.0": Never, "0.1.2.3": Never, "127.0.0.1": Never, "127.9.9.9": Never, "224.0.0.1": Never, "240.0.0.1": Never,
		"255.255.255.255": Never, "10.0.2.3": Never, "10.0.2.15": Never, "10.0.2.200": Never,
	} {
		ip := netip.MustParseAddr(addr)
		if got := n.reachOf(ip); got != want {
			t.Errorf("%s: %d, want %d", addr, got, want)
		}
		for _, cfg := range []struct{ private, loopback bool }{{false, false}, {true, false}, {false, true}, {true, true}} {
			n.policy = &Rules{PrivateNetworks: cfg.private, HostLoopback: cfg.loopback}
			ok := want == Public || want == Private && cfg.private || want == Host && cfg.loopback
			if _, err := n.decide(&Flow{Network: "tcp", Remote: netip.AddrPortFrom(ip, 80)}); (err == nil) != ok {
				t.Errorf("%s with %+v: %v, want %v", addr, cfg, err, ok)
			}
		}
	}
	// A host that joins a network, or cannot say where it is.
	nets = append(nets, netip.MustParsePrefix("1.1.1.7/24"))
	if n.reachOf(netip.MustParseAddr("1.1.1.1")) != Private {
		t.Error("a new link was not asked for")
	}
	fails = errors.New("no")
	if n.reachOf(netip.MustParseAddr("8.8.8.8")) == Public {
		t.Error("an address is reached though the host's own are not known")
	}
}
