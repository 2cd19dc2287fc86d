package usernet

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// leaseTime is long: there is one client, and its address is always the same.
const leaseTime = 24 * time.Hour

// startDHCP listens on the DHCP server's port.
func (n *Network) startDHCP() error {
	wq := new(waiter.Queue)
	ep, err := n.stack.NewEndpoint(udp.ProtocolNumber, ipv4.ProtocolNumber, wq)
	if err != nil {
		return stackError("start the DHCP server", err)
	}
	ep.SocketOptions().SetBroadcast(true)
	if err := ep.Bind(tcpip.FullAddress{NIC: nicID, Port: dhcpServerPort}); err != nil {
		ep.Close()
		return stackError("start the DHCP server", err)
	}
	conn := gonet.NewUDPConn(wq, ep)
	n.closeLater(conn)
	n.wg.Go(func() { n.serveDHCP(conn) })
	return nil
}

// serveDHCP answers requests until the network is closed.
func (n *Network) serveDHCP(conn *gonet.UDPConn) {
	buf := make([]byte, 2048)
	for {
		k, _, err := conn.ReadFrom(buf)
		if err != nil {
			if n.ctx.Err() != nil || errors.Is(err, net.ErrClosed) || !n.pause() {
				return
			}
			continue
		}
		m, err := parseDHCP(buf[:k])
		if err != nil {
			continue
		}
		if reply := n.dhcpAnswer(m); reply != nil {
			conn.WriteTo(reply, dhcpDestination(m))
		}
	}
}

// dhcpDestination is where the answer to m goes: to the client's address if it
// has one, else to all (RFC 2131, 4.1; a client without an address that asks
// for unicast takes broadcast, too).
func dhcpDestination(m dhcpMessage) net.Addr {
	to := allOnes
	if guestMayUse(m.clientIP) {
		to = m.clientIP
	}
	return net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, dhcpClientPort))
}

// dhcpAnswer is the server's answer to m, nil if there is none (RFC 2131,
// 4.3).
func (n *Network) dhcpAnswer(m dhcpMessage) []byte {
	switch m.kind {
	case dhcpDiscover:
		return n.dhcpOffer(m, dhcpOffer)
	case dhcpInform:
		return n.dhcpOffer(m, dhcpAck)
	case dhcpRequest:
		if m.server.IsValid() && m.server != GatewayIP {
			return nil // it has chosen another server
		}
		// Selecting and rebooting clients name the address in an option,
		// others have it already (RFC 2131, 4.3.2).
		ip := m.requested
		if !ip.IsValid() {
			ip = m.clientIP
		}
		if ip != GuestIP {
			return newDHCPReply(m, dhcpNak).bytes()
		}
		return n.dhcpOffer(m, dhcpAck)
	}
	return nil // DECLINE and RELEASE: the address is the guest's in any case
}

// dhcpOffer is an answer with the guest's configuration.
func (n *Network) dhcpOffer(m dhcpMessage, kind byte) []byte {
	r := newDHCPReply(m, kind)
	if kind == dhcpAck {
		copy(r.b[dhcpClientIP:], m.clientIP.AsSlice())
	}
	if m.kind != dhcpInform { // which keeps its address, without a lease (RFC 2131, 4.3.5)
		copy(r.b[dhcpYourIP:], GuestIP.AsSlice())
		r.addSeconds(optLeaseTime, leaseTime)
		r.addSeconds(optRenewalTime, leaseTime/2)
		r.addSeconds(optRebindingTime, leaseTime*7/8)
	}
	copy(r.b[dhcpServerIP:], GatewayIP.AsSlice())
	r.add(optSubnetMask, net.CIDRMask(Subnet.Bits(), 32)...)
	r.addIP(optRouter, GatewayIP)
	r.addIP(optDNS, DNSIP)
	r.addIP(optBroadcast, broadcast)
	r.add(optMTU, binary.BigEndian.AppendUint16(nil, uint16(n.cfg.MTU))...)
	r.add(optHostname, []byte(n.cfg.Hostname)...)
	if s := n.cfg.DNS.Search; len(s) > 0 {
		r.add(optDomain, []byte(s[0])...)
		r.add(optSearch, searchList(s)...)
	}
	return r.bytes()
}

// pause waits a little before an operation is tried again that has failed. It
// reports false when the network is closed.
func (n *Network) pause() bool {
	select {
	case <-n.ctx.Done():
		return false
	case <-time.After(100 * time.Millisecond):
		return true
	}
}
