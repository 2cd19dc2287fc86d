package fetch

import (
	"net"
	"net/netip"

	"alpinevm/net/special"
)

// scopeOf tells who can reach an address. This machine's own are among those of
// this machine, whatever they are: what listens on all of them is behind them.
func scopeOf(addr netip.Addr) special.Scope {
	scope := special.Of(addr)
	v4, embedded := special.IPv4In(addr)
	if scope == special.Public && (own(addr.Unmap()) || embedded && own(v4)) {
		return special.LoopBack
	}
	return scope
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
