package usernet

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// reportErrors has the kernel keep the ICMP errors that a socket causes (ip(7),
// IP_RECVERR; ipv6(7), IPV6_RECVERR).
func reportErrors(network, _ string, c syscall.RawConn) error {
	var err error
	control := c.Control(func(fd uintptr) {
		if network == "udp6" {
			err = unix.SetsockoptInt(int(fd), unix.SOL_IPV6, unix.IPV6_RECVERR, 1)
		} else {
			err = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_RECVERR, 1)
		}
	})
	return errors.Join(control, err)
}

// reporting is a socket that tells of errors with their addresses.
type reporting struct {
	*net.UDPConn
	failed func(to netip.AddrPort, err error)
}

func hostSocket(c *net.UDPConn, failed func(to netip.AddrPort, err error)) DatagramSocket {
	return reporting{c, failed}
}

// maxReports is how often in a row an operation is tried again that failed for what
// became of earlier datagrams.
const maxReports = 64

// WriteToUDPAddrPort sends a datagram. The kernel may tell instead what became of an
// earlier one.
func (r reporting) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (n int, err error) {
	for range maxReports {
		n, err = r.UDPConn.WriteToUDPAddrPort(b, to)
		if err == nil || !r.report() {
			break
		}
	}
	return n, err
}

// ReadFromUDPAddrPort waits for a datagram.
func (r reporting) ReadFromUDPAddrPort(b []byte) (n int, from netip.AddrPort, err error) {
	for range maxReports {
		n, from, err = r.UDPConn.ReadFromUDPAddrPort(b)
		// The report of an error may have been read by the other method.
		if err == nil || !r.report() && errors.Is(err, net.ErrClosed) {
			break
		}
	}
	return n, from, err
}

// report passes on the errors that the kernel has kept. It reports false if there
// are none.
func (r reporting) report() (any bool) {
	raw, err := r.SyscallConn()
	if err != nil {
		return false
	}
	oob := make([]byte, 512)
	for range maxReports {
		var from unix.Sockaddr
		var size int
		control := raw.Control(func(fd uintptr) {
			_, size, _, from, err = unix.Recvmsg(int(fd), nil, oob, unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
		})
		if control != nil || err != nil {
			return any
		}
		any = true
		if errno := reported(oob[:size]); errno != 0 {
			r.failed(sockaddr(from), errno)
		}
	}
	return any
}

// reported is the error in control messages (ip(7), struct sock_extended_err).
func reported(oob []byte) syscall.Errno {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return 0
	}
	for _, m := range messages {
		v4 := m.Header.Level == unix.SOL_IP && m.Header.Type == unix.IP_RECVERR
		v6 := m.Header.Level == unix.SOL_IPV6 && m.Header.Type == unix.IPV6_RECVERR
		if (v4 || v6) && len(m.Data) >= 4 {
			return syscall.Errno(binary.NativeEndian.Uint32(m.Data))
		}
	}
	return 0
}

func sockaddr(sa unix.Sockaddr) netip.AddrPort {
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port))
	}
	return netip.AddrPort{}
}
