//go:build !linux

package usernet

import (
	"net"
	"net/netip"
	"syscall"
)

var reportErrors func(network, address string, c syscall.RawConn) error

// hostSocket makes room for the largest datagram, which some systems do not by
// themselves.
func hostSocket(c *net.UDPConn, _ func(to netip.AddrPort, err error)) DatagramSocket {
	c.SetWriteBuffer(2 * largestUDP)
	c.SetReadBuffer(2 * largestUDP)
	return c
}
