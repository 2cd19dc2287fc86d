package control

import (
	"errors"
	"net"
	"os"
)

// errPeer is what others than the user get, and root.
var errPeer = errors.New("the machine is another user's")

// ownPeer refuses others than the user, but for root.
func ownPeer(c net.Conn) error {
	uid, ok, err := peerID(c)
	if err != nil {
		return err
	}
	return allowed(uid, ok, os.Geteuid())
}

func allowed(uid int, known bool, own int) error {
	if known && uid != 0 && uid != own {
		return errPeer
	}
	return nil
}
