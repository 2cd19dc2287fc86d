package control

import (
	"net"

	"golang.org/x/sys/unix"
)

// peerID is the user on the other end.
func peerID(c net.Conn) (uid int, ok bool, err error) {
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, false, err
	}
	var cred *unix.Ucred
	var callErr error
	if err := raw.Control(func(fd uintptr) { cred, callErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil {
		return 0, false, err
	}
	if callErr != nil {
		return 0, false, callErr
	}
	return int(cred.Uid), true, nil
}
