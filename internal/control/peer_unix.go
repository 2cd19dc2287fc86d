//go:build linux || darwin

package control

import "net"

// peerID is the user on the other end.
func peerID(c net.Conn) (uid int, ok bool, err error) {
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, false, err
	}
	var callErr error
	if err := raw.Control(func(fd uintptr) { uid, callErr = userOf(int(fd)) }); err != nil {
		return 0, false, err
	}
	return uid, callErr == nil, callErr
}
