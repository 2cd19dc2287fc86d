package statefs

import (
	"errors"
	"syscall"

	"alpinevm/fs9p"
	"alpinevm/fs9p/storage"
)

// errnos are the host's errors that a guest can do something about.
var errnos = []struct {
	host  syscall.Errno
	guest fs9p.Errno
}{
	{syscall.ENOSPC, fs9p.ENOSPC}, {syscall.EDQUOT, fs9p.EDQUOT}, {syscall.EFBIG, fs9p.EFBIG},
	{syscall.EMFILE, fs9p.ENFILE}, {syscall.ENFILE, fs9p.ENFILE}, {syscall.EROFS, fs9p.EROFS},
}

// toErrno finds what the guest is told for an error of the host. One that says
// that our files are not as we left them is EIO.
func toErrno(err error) error {
	if err == nil {
		return nil
	}
	var e fs9p.Errno
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, storage.ErrFull) {
		return fs9p.ENOSPC
	}
	for _, x := range errnos {
		if errors.Is(err, x.host) {
			return x.guest
		}
	}
	return fs9p.EIO
}
