package usernet

import "net/netip"

// special are the networks whose addresses are not for a guest to reach unasked:
// those that are not public (RFC 6890 and the IANA registry of special purpose
// addresses), and what clouds serve their machines at.
var special = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("168.63.129.16/32"), // Azure's wire server
	netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.31.196.0/24"),
	netip.MustParsePrefix("192.52.193.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"),
	netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("192.175.48.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
}

// reach is who lets a guest reach an address.
type reach uint8

const (
	always   reach = iota // it is public
	private               // Config.PrivateNetworks: a special network, or one that the host is connected to
	loopback              // Config.HostLoopback: the host itself
	never                 // our own network, and what is no address of one host
)

// reachOf says what has to be allowed for an address that the guest sends to.
// The host's own addresses and networks are asked for each time, since they
// change.
func (n *Network) reachOf(ip netip.Addr) reach {
	switch {
	case ip == GatewayIP:
		return loopback
	case Subnet.Contains(ip), !unicast(ip):
		return never
	}
	r := always
	for _, p := range special {
		if p.Contains(ip) {
			r = private
		}
	}
	if n.cfg.HostNetworks == nil {
		return r
	}
	nets, err := n.cfg.HostNetworks()
	if err != nil {
		return loopback // it may be any
	}
	for _, p := range nets {
		switch {
		case p.Addr().Unmap() == ip:
			return loopback
		case p.Masked().Contains(ip) && p.Bits() > 0:
			r = private
		}
	}
	return r
}

// target is the address on the host's side for one that the guest wants to
// reach, or false if it may not.
func (n *Network) target(ip netip.Addr) (netip.Addr, bool) {
	ok := false
	switch n.reachOf(ip) {
	case always:
		ok = true
	case private:
		ok = n.cfg.PrivateNetworks
	case loopback:
		ok = n.cfg.HostLoopback
	}
	if ip == GatewayIP {
		ip = loopbackIP
	}
	return ip, ok
}
