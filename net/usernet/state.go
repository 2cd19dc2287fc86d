package usernet

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// State is what a Network remembers of its guest, as plain data: connections that
// the host will not have when the guest goes on elsewhere.
type State struct {
	Connections []Connection // in order
}

// Connection is one of TCP.
type Connection struct {
	Guest, Peer         [16]byte // addresses, as the guest has them, of IPv4 in IPv6's form
	GuestPort, PeerPort uint16
}

func (c *Connection) compare(d *Connection) int {
	return cmp.Or(slices.Compare(c.Guest[:], d.Guest[:]), slices.Compare(c.Peer[:], d.Peer[:]),
		cmp.Compare(c.GuestPort, d.GuestPort), cmp.Compare(c.PeerPort, d.PeerPort))
}

// Save gives a copy of the state (any goroutine).
func (n *Network) Save() State {
	var s State
	for _, e := range n.stack.RegisteredEndpoints() {
		ep, ok := e.(*tcp.Endpoint)
		if !ok {
			continue
		}
		info, ok := ep.Info().(*stack.TransportEndpointInfo)
		if !ok || info.ID.RemotePort == 0 {
			continue // it listens
		}
		s.Connections = append(s.Connections, Connection{
			Guest: hostAddr(info.ID.RemoteAddress).As16(), Peer: hostAddr(info.ID.LocalAddress).As16(), GuestPort: info.ID.RemotePort, PeerPort: info.ID.LocalPort,
		})
	}
	slices.SortFunc(s.Connections, func(a, b Connection) int { return a.compare(&b) })
	return s
}

// maxConnections is more than a Network has, with those that are closing.
const maxConnections = 4 * maxFlows

// Restore has the guest lose the connections of a state that another Network has
// saved, as soon as it runs. The guest alone knows the sequence number at which
// it takes a reset: so it is sent a segment that it answers, and its answer, which
// belongs to no connection here, is answered by the reset (RFC 9293, 3.10.7).
func (n *Network) Restore(s State) error {
	if len(s.Connections) > maxConnections {
		return fmt.Errorf("network: %d connections, want %d at most", len(s.Connections), maxConnections)
	}
	for _, c := range s.Connections {
		src, dst := netip.AddrFrom16(c.Peer).Unmap(), netip.AddrFrom16(c.Guest).Unmap()
		if dst.Is6() != src.Is6() || !Subnet.Contains(dst) && !Subnet6.Contains(dst) {
			return fmt.Errorf("network: a connection of %s, which is no guest", dst)
		}
		n.send(tcp.ProtocolNumber, src, dst, probe(src, dst, c.PeerPort, c.GuestPort), ttl)
	}
	return nil
}

// probe is a segment of no data whose numbers are wrong.
func probe(src, dst netip.Addr, from, to uint16) []byte {
	b := make([]byte, header.TCPMinimumSize)
	h := header.TCP(b)
	h.Encode(&header.TCPFields{SrcPort: from, DstPort: to, DataOffset: header.TCPMinimumSize, Flags: header.TCPFlagAck, WindowSize: 1})
	sum := header.PseudoHeaderChecksum(tcp.ProtocolNumber, stackAddr(src), stackAddr(dst), uint16(len(b)))
	h.SetChecksum(^h.CalculateChecksum(sum))
	return b
}
