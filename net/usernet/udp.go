package usernet

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"

	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// udpDatagram is the buffer for one datagram; a longer one is lost.
func udpDatagram(f *flow) int {
	if f.big {
		return 64 << 10
	}
	return 8 << 10
}

// handleUDP takes the datagrams for which the stack has no flow. A false result
// has the stack answer with ICMP port unreachable.
func (n *Network) handleUDP(id stack.TransportEndpointID, pkt *stack.PacketBuffer) bool {
	ip, ok := n.target(hostAddr(id.LocalAddress))
	if !ok || hostAddr(id.LocalAddress) == DNSIP {
		return false
	}
	f := n.flows.reserve(n.cfg.Limits.IdleUDP)
	if f == nil {
		return true // lost, as datagrams may be
	}
	wq := new(waiter.Queue)
	// The endpoint has the first datagram already.
	ep, terr := udp.NewForwarderRequest(n.stack, id, pkt.Clone()).CreateEndpoint(wq)
	if terr != nil {
		f.release()
		return true
	}
	ep.SocketOptions().SetReceiveBufferSize(int64(f.buffers().receive), false)
	guest := gonet.NewUDPConn(wq, ep)
	headers := quote(pkt)
	go func() {
		defer f.release()
		defer guest.Close()
		host, err := n.dial("udp", netip.AddrPortFrom(ip, id.LocalPort))
		if err != nil {
			n.sendUDPError(headers, err)
			return
		}
		n.joinUDP(f, guest, host, func(err error) { n.sendUDPError(headers, err) })
	}()
	return true
}

// joinUDP passes datagrams between two sockets until the flow is idle or one of
// them is closed. report is told of errors that the host got for datagrams of
// the guest's.
func (n *Network) joinUDP(f *flow, guest, host net.Conn, report func(error)) {
	end := sync.OnceFunc(func() {
		guest.Close()
		host.Close()
	})
	defer end()
	if !f.onEnd(end) {
		return
	}
	go func() {
		defer end()
		buf := make([]byte, udpDatagram(f))
		for {
			k, err := guest.Read(buf)
			if err != nil {
				return
			}
			f.touch()
			if k == len(buf) {
				continue
			}
			if _, err := host.Write(buf[:k]); err != nil {
				if errors.Is(err, net.ErrClosed) {
					return
				}
				report(err)
			}
		}
	}()
	buf := make([]byte, udpDatagram(f))
	for {
		k, err := host.Read(buf)
		if errors.Is(err, syscall.ECONNREFUSED) {
			report(err)
			continue
		}
		if err != nil {
			return
		}
		f.touch()
		if k < len(buf) {
			guest.Write(buf[:k]) // lost if the guest has no room, as datagrams may be
		}
	}
}

// sendUDPError tells the guest what became of a datagram, if that is known.
func (n *Network) sendUDPError(headers []byte, err error) {
	if errors.Is(err, syscall.ECONNREFUSED) {
		n.sendUnreachable(headers, header.ICMPv4PortUnreachable)
		return
	}
	if code, ok := unreachable(err); ok {
		n.sendUnreachable(headers, code)
	}
}
