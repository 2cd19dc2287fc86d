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
	var cred *unix.Xucred
	var callErr error
	if err := raw.Control(func(fd uintptr) { cred, callErr = unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED) }); err != nil {
		return 0, false, err
	}
	if callErr != nil {
		return 0, false, callErr
	}
	return int(cred.Uid), true, nil
}
