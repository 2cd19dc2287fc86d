package usernet

import (
	"context"
	"net"
	"net/netip"
)

// HostDatagrams opens sockets of the host's that need no privilege. It is made for
// Config.Datagrams. Only Linux tells of a socket that is not connected what became
// of a datagram.
type HostDatagrams struct{}

func (HostDatagrams) OpenUDP(ctx context.Context, v6 bool, failed func(to netip.AddrPort, err error)) (DatagramSocket, error) {
	network := "udp4"
	if v6 {
		network = "udp6"
	}
	p, err := (&net.ListenConfig{Control: reportErrors}).ListenPacket(ctx, network, ":0")
	if err != nil {
		return nil, err
	}
	return hostSocket(p.(*net.UDPConn), failed), nil
}
