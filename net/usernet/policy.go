package usernet

import "net/netip"

// notPublic are the networks that only Config.PrivateNetworks opens (RFC 6890).
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("198.18.0.0/15"),
}

// target is the address on the host's side for one that the guest wants to
// reach, or false if it may not.
func (n *Network) target(ip netip.Addr) (netip.Addr, bool) {
	switch {
	case ip == GatewayIP:
		return loopbackIP, n.cfg.HostLoopback
	case Subnet.Contains(ip), !unicast(ip):
		return netip.Addr{}, false
	case n.cfg.PrivateNetworks:
		return ip, true
	}
	for _, p := range notPublic {
		if p.Contains(ip) {
			return netip.Addr{}, false
		}
	}
	return ip, true
}
