package usernet

import (
	"context"
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

const (
	maxPings    = 16 // echo requests at a time that wait for their answer
	pingTimeout = 10 * time.Second
	quoted      = 8 // bytes behind the IP header that an ICMP error quotes (RFC 792)
	ttl         = 64
)

// quote copies the headers of a packet from the guest, Ethernet included, for
// an ICMP error.
func quote(pkt *stack.PacketBuffer) []byte {
	b := append([]byte(nil), pkt.LinkHeader().Slice()...)
	b = append(b, pkt.NetworkHeader().Slice()...)
	t := pkt.TransportHeader().Slice()
	return append(b, t[:min(len(t), quoted)]...)
}

// sendUnreachable answers the packet that starts with headers with ICMP
// destination unreachable (RFC 792), which comes from the gateway.
func (n *Network) sendUnreachable(headers []byte, code header.ICMPv4Code) {
	quote := headers[etherSize:]
	icmp := make([]byte, header.ICMPv4MinimumSize+len(quote))
	h := header.ICMPv4(icmp)
	h.SetType(header.ICMPv4DstUnreachable)
	h.SetCode(code)
	copy(icmp[header.ICMPv4MinimumSize:], quote)
	h.SetChecksum(^checksum.Checksum(icmp, 0))
	n.answer(headers, stackAddr(GatewayIP), icmp)
}

// answer sends an ICMP message from src to the sender of a frame of the guest's.
func (n *Network) answer(request []byte, src tcpip.Address, icmp []byte) {
	const headers = etherSize + header.IPv4MinimumSize
	b := make([]byte, headers+len(icmp))
	header.Ethernet(b).Encode(&header.EthernetFields{
		SrcAddr: n.link.LinkAddress(),
		DstAddr: header.Ethernet(request).SourceAddress(),
		Type:    header.IPv4ProtocolNumber,
	})
	ip := header.IPv4(b[etherSize:])
	ip.Encode(&header.IPv4Fields{
		TotalLength: uint16(len(ip)),
		TTL:         ttl,
		Protocol:    uint8(header.ICMPv4ProtocolNumber),
		SrcAddr:     src,
		DstAddr:     header.IPv4(request[etherSize:]).SourceAddress(),
	})
	ip.SetChecksum(^ip.CalculateChecksum())
	copy(b[headers:], icmp)
	n.link.write(b)
}

// echo answers an echo request for dst, whose frame is request, if dst answers
// the host (RFC 792). What is larger than the card's MTU gets no answer.
func (n *Network) echo(request, icmp []byte, dst netip.Addr) {
	ip, ok := n.target(dst)
	if !ok || n.cfg.Ping == nil || header.ICMPv4(icmp).Type() != header.ICMPv4Echo ||
		len(request) > etherSize+n.cfg.MTU {
		return
	}
	select {
	case n.pings <- struct{}{}:
	default:
		return
	}
	frame := append([]byte(nil), request...)
	reply := append([]byte(nil), icmp...)
	n.wg.Go(func() {
		defer func() { <-n.pings }()
		ctx, cancel := context.WithTimeout(n.ctx, pingTimeout)
		defer cancel()
		if n.cfg.Ping(ctx, ip, reply[header.ICMPv4MinimumSize:]) != nil {
			return
		}
		h := header.ICMPv4(reply)
		h.SetType(header.ICMPv4EchoReply)
		h.SetChecksum(0)
		h.SetChecksum(^checksum.Checksum(reply, 0))
		n.answer(frame, stackAddr(dst), reply)
	})
}
