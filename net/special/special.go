// Package special knows which addresses are not public: those of the IANA
// registries of special purpose addresses (RFC 6890), those that stand for IPv4
// addresses inside IPv6, and those that clouds serve their machines at.
package special

import "net/netip"

// Scope is who can reach an address.
type Scope string

// Scopes, in words for messages.
const (
	Public    Scope = "a public address"
	LoopBack  Scope = "an address of this machine"
	Private   Scope = "an address of a private network"
	LinkLocal Scope = "an address of this machine's own link"
	Reserved  Scope = "an address that is reserved"
)

// ranges are the networks that are not public.
var ranges = []struct {
	net   netip.Prefix
	scope Scope
}{
	{netip.MustParsePrefix("0.0.0.0/8"), Reserved},
	{netip.MustParsePrefix("10.0.0.0/8"), Private},
	{netip.MustParsePrefix("100.64.0.0/10"), Private},
	{netip.MustParsePrefix("127.0.0.0/8"), LoopBack},
	{netip.MustParsePrefix("168.63.129.16/32"), LinkLocal}, // Azure's wire server
	{netip.MustParsePrefix("169.254.0.0/16"), LinkLocal},
	{netip.MustParsePrefix("172.16.0.0/12"), Private},
	{netip.MustParsePrefix("192.0.0.0/24"), Reserved},
	{netip.MustParsePrefix("192.0.2.0/24"), Reserved},
	{netip.MustParsePrefix("192.31.196.0/24"), Reserved},
	{netip.MustParsePrefix("192.52.193.0/24"), Reserved},
	{netip.MustParsePrefix("192.88.99.0/24"), Reserved},
	{netip.MustParsePrefix("192.168.0.0/16"), Private},
	{netip.MustParsePrefix("192.175.48.0/24"), Reserved},
	{netip.MustParsePrefix("198.18.0.0/15"), Reserved},
	{netip.MustParsePrefix("198.51.100.0/24"), Reserved},
	{netip.MustParsePrefix("203.0.113.0/24"), Reserved},
	{netip.MustParsePrefix("224.0.0.0/3"), Reserved}, // multicast, and 240.0.0.0/4

	{netip.MustParsePrefix("::1/128"), LoopBack},
	{netip.MustParsePrefix("64:ff9b:1::/48"), Private}, // a site's own NAT64 (RFC 8215)
	{netip.MustParsePrefix("fc00::/7"), Private},
	{netip.MustParsePrefix("fe80::/10"), LinkLocal},
	{netip.MustParsePrefix("fec0::/10"), Private},
	{netip.MustParsePrefix("2001::/23"), Reserved}, // Teredo among them
	{netip.MustParsePrefix("2001:db8::/32"), Reserved},
	{netip.MustParsePrefix("2620:4f:8000::/48"), Reserved},
	{netip.MustParsePrefix("3fff::/20"), Reserved},
}

// global is where IPv6 has public addresses at all (RFC 4291, 2.4); what is outside
// of it and of ranges is reserved.
var global = netip.MustParsePrefix("2000::/3")

// embedded are networks of IPv6 whose addresses stand for those of IPv4 that
// they have at a place: NAT64 (RFC 6052) and 6to4 (RFC 3056).
var embedded = []struct {
	net netip.Prefix
	at  int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12},
	{netip.MustParsePrefix("2002::/16"), 2},
}

// Of tells who can reach an address, an IPv4 one in IPv6's form too. It knows
// nothing of this machine's interfaces.
func Of(addr netip.Addr) Scope {
	addr = addr.Unmap().WithZone("")
	for _, r := range ranges {
		if r.net.Contains(addr) {
			return r.scope
		}
	}
	if v4, ok := IPv4In(addr); ok {
		return Of(v4)
	}
	if !addr.IsValid() || addr.Is6() && !global.Contains(addr) {
		return Reserved
	}
	return Public
}

// IPv4In is the IPv4 address that an IPv6 one stands for, if it does: of NAT64, of 6to4,
// and of ISATAP, whose interface identifiers have it behind 5efe (RFC 5214, 6.1).
func IPv4In(addr netip.Addr) (v4 netip.Addr, ok bool) {
	if !addr.Is6() {
		return netip.Addr{}, false
	}
	b := addr.As16()
	for _, e := range embedded {
		if e.net.Contains(addr) {
			return netip.AddrFrom4([4]byte(b[e.at:])), true
		}
	}
	if global.Contains(addr) && b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe {
		return netip.AddrFrom4([4]byte(b[12:])), true
	}
	return netip.Addr{}, false
}

// Within tells whether all of a network lies in one special range.
func Within(p netip.Prefix) bool {
	for _, r := range ranges {
		if r.net.Overlaps(p) && r.net.Bits() <= p.Bits() {
			return true
		}
	}
	return false
}
