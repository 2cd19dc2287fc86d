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
	n := &Network{cfg: Config{HostNetworks: func() ([]netip.Prefix, error) { return nets, fails }}}
	for addr, want := range map[string]reach{
		"1.1.1.1": always, "5.6.7.128": always, "168.63.129.15": always, "9.9.9.2": always, "192.0.3.1": always,
		// the host's own addresses, whatever they are
		"5.6.7.8": loopback, "192.168.7.3": loopback, "9.9.9.1": loopback, "4.4.4.4": loopback, "8.8.4.4": loopback, "10.0.2.2": loopback,
		// its links
		"5.6.7.9": private, "5.6.7.63": private, "192.168.7.4": private,
		// special ranges, first and last address
		"10.0.0.0": private, "10.255.255.255": private, "100.64.0.0": private, "100.127.255.255": private, "168.63.129.16": private,
		"169.254.169.254": private, "172.16.0.1": private, "172.31.255.255": private, "192.0.0.8": private, "192.0.2.1": private,
		"192.31.196.1": private, "192.52.193.1": private, "192.88.99.1": private, "192.168.255.255": private, "192.175.48.1": private,
		"198.18.0.1": private, "198.19.255.255": private, "198.51.100.1": private, "203.0.113.255": private,
		// no addresses of one host, and our own network
		"0.0.0.0": never, "0.1.2.3": never, "127.0.0.1": never, "127.9.9.9": never, "224.0.0.1": never, "240.0.0.1": never,
		"255.255.255.255": never, "10.0.2.3": never, "10.0.2.15": never, "10.0.2.200": never,
	} {
		ip := netip.MustParseAddr(addr)
		if got := n.reachOf(ip); got != want {
			t.Errorf("%s: %d, want %d", addr, got, want)
		}
		for _, cfg := range []struct{ private, loopback bool }{{false, false}, {true, false}, {false, true}, {true, true}} {
			n.cfg.PrivateNetworks, n.cfg.HostLoopback = cfg.private, cfg.loopback
			ok := want == always || want == private && cfg.private || want == loopback && cfg.loopback
			if _, got := n.target(ip); got != ok {
				t.Errorf("%s with %+v: %v, want %v", addr, cfg, got, ok)
			}
		}
	}
	// A host that joins a network, or cannot say where it is.
	nets = append(nets, netip.MustParsePrefix("1.1.1.7/24"))
	if n.reachOf(netip.MustParseAddr("1.1.1.1")) != private {
		t.Error("a new link was not asked for")
	}
	fails = errors.New("no")
	if n.reachOf(netip.MustParseAddr("8.8.8.8")) == always {
		t.Error("an address is reached though the host's own are not known")
	}
}
