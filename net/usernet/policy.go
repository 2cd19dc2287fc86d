package usernet

import (
	"net/netip"

	"alpinevm/net/special"
)

// Reach is what an address is to a guest.
type Reach uint8

const (
	Public  Reach = iota
	Private       // of a special network, or of one that the host is connected to
	Host          // the host itself
	Never         // our own network, and what is no address of one host
)

// Flow is a connection, a flow of datagrams or an echo request, before it is made.
type Flow struct {
	Network string // "tcp", "udp" or "icmp"
	Inbound bool   // somebody has come to a forwarded port
	// Guest and Remote are the two ends as the guest knows them; ports of icmp are 0.
	Guest, Remote netip.AddrPort
	Reach         Reach
	// Names are what the guest has asked for, lately, to be told Remote's address.
	Names []string
}

// Policy decides what a guest may do. Its methods are called on any goroutine and
// do not block. Their errors say why not, in a few words.
type Policy interface {
	// Lookup is asked for each name, in lower case and without the last dot,
	// before anybody else hears of it.
	Lookup(name string) error
	// Connect is asked for each flow when it begins.
	Connect(Flow) error
}

// reachOf says what an address is.
func (n *Network) reachOf(ip netip.Addr) Reach { return ReachOf(ip, n.cfg.HostNetworks) }

// ReachOf says what an address is. The host's own addresses and networks are asked
// for each time, since they change; hostNetworks is as Config.HostNetworks has it.
func ReachOf(ip netip.Addr, hostNetworks func() ([]netip.Prefix, error)) Reach {
	switch {
	case ip == GatewayIP, ip == GatewayIP6:
		return Host
	case Subnet.Contains(ip), Subnet6.Contains(ip), !unicast(ip):
		return Never
	}
	if v4, ok := special.IPv4In(ip); ok {
		return ReachOf(v4, hostNetworks) // there it leads
	}
	r := Public
	if special.Of(ip) != special.Public {
		r = Private
	}
	if hostNetworks == nil {
		return r
	}
	nets, err := hostNetworks()
	if err != nil {
		return Host // it may be any
	}
	for _, p := range nets {
		switch {
		case p.Addr().Unmap() == ip:
			return Host
		case p.Masked().Contains(ip) && p.Bits() > 0:
			r = Private
		}
	}
	return r
}

// decide completes f and asks the policy. target is the remote end on the host's
// side.
func (n *Network) decide(f *Flow) (target netip.AddrPort, err error) {
	ip := f.Remote.Addr()
	f.Names = n.pins.names(ip)
	if f.Inbound {
		return f.Remote, n.policy.Connect(*f)
	}
	if f.Reach = n.reachOf(ip); f.Reach == Never {
		return netip.AddrPort{}, Defaults[Never].refused()
	}
	switch ip {
	case GatewayIP:
		ip = loopbackIP
	case GatewayIP6:
		ip = loopback6
	}
	return netip.AddrPortFrom(ip, f.Remote.Port()), n.policy.Connect(*f)
}
