package fetch

import (
	"net"
	"net/netip"
)

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

// special are the networks that are not public: the IANA registries of special
// purpose addresses (RFC 6890), and what clouds serve their machines at.
var special = []struct {
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
	{netip.MustParsePrefix("192.88.99.0/24"), Reserved},
	{netip.MustParsePrefix("192.168.0.0/16"), Private},
	{netip.MustParsePrefix("198.18.0.0/15"), Reserved},
	{netip.MustParsePrefix("198.51.100.0/24"), Reserved},
	{netip.MustParsePrefix("203.0.113.0/24"), Reserved},
	{netip.MustParsePrefix("224.0.0.0/3"), Reserved}, // multicast, and 240.0.0.0/4
	{netip.MustParsePrefix("::/128"), Reserved},
	{netip.MustParsePrefix("::1/128"), LoopBack},
	{netip.MustParsePrefix("64:ff9b:1::/48"), Private},
	{netip.MustParsePrefix("100::/64"), Reserved},
	{netip.MustParsePrefix("2001::/23"), Reserved},
	{netip.MustParsePrefix("2001:db8::/32"), Reserved},
	{netip.MustParsePrefix("3fff::/20"), Reserved},
	{netip.MustParsePrefix("5f00::/16"), Reserved},
	{netip.MustParsePrefix("fc00::/7"), Private},
	{netip.MustParsePrefix("fe80::/10"), LinkLocal},
	{netip.MustParsePrefix("fec0::/10"), Private},
	{netip.MustParsePrefix("ff00::/8"), Reserved},
}

// embedded are networks of IPv6 whose addresses stand for those of IPv4 that
// they have at a place: "64:ff9b::/96" of NAT64 and 6to4.
var embedded = []struct {
	net netip.Prefix
	at  int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12},
	{netip.MustParsePrefix("2002::/16"), 2},
}

// scopeOf tells who can reach an address. This machine's own are among those of
// this machine, whatever they are: what listens on all of them is behind them.
func scopeOf(addr netip.Addr) Scope {
	addr = addr.Unmap()
	for _, e := range embedded {
		if e.net.Contains(addr) {
			b := addr.As16()
			return scopeOf(netip.AddrFrom4([4]byte(b[e.at:])))
		}
	}
	for _, s := range special {
		if s.net.Contains(addr) {
			return s.scope
		}
	}
	if own(addr) {
		return LoopBack
	}
	return Public
}

// own tells whether an interface of this machine has the address now.
func own(addr netip.Addr) bool {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range list {
		if n, ok := a.(*net.IPNet); ok {
			if mine, ok := netip.AddrFromSlice(n.IP); ok && mine.Unmap() == addr {
				return true
			}
		}
	}
	return false
}
