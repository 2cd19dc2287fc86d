//go:build unix || js || wasip1

package hostfs

import (
	"errors"
	"syscall"

	"alpinevm/fs9p"
)

// errnos are the host's numbers for what Linux calls so.
var errnos = map[syscall.Errno]fs9p.Errno{
	syscall.EPERM: fs9p.EPERM, syscall.ENOENT: fs9p.ENOENT, syscall.EINTR: fs9p.EINTR,
	syscall.EIO: fs9p.EIO, syscall.ENXIO: fs9p.ENXIO, syscall.EBADF: fs9p.EBADF,
	syscall.EAGAIN: fs9p.EAGAIN, syscall.ENOMEM: fs9p.ENOMEM, syscall.EACCES: fs9p.EACCES,
	syscall.EBUSY: fs9p.EBUSY, syscall.EEXIST: fs9p.EEXIST, syscall.EXDEV: fs9p.EXDEV,
	syscall.ENODEV: fs9p.ENODEV, syscall.ENOTDIR: fs9p.ENOTDIR, syscall.EISDIR: fs9p.EISDIR,
	syscall.EINVAL: fs9p.EINVAL, syscall.ENFILE: fs9p.ENFILE, syscall.EMFILE: fs9p.ENFILE,
	syscall.EFBIG: fs9p.EFBIG, syscall.ENOSPC: fs9p.ENOSPC, syscall.EROFS: fs9p.EROFS,
	syscall.EMLINK: fs9p.EMLINK, syscall.ERANGE: fs9p.ERANGE, syscall.ENAMETOOLONG: fs9p.ENAMETOOLONG,
	syscall.ENOSYS: fs9p.ENOSYS, syscall.ENOTEMPTY: fs9p.ENOTEMPTY, syscall.ELOOP: fs9p.ELOOP,
	syscall.EOPNOTSUPP: fs9p.EOPNOTSUPP, syscall.ESTALE: fs9p.ESTALE, syscall.EDQUOT: fs9p.EDQUOT,
	syscall.EOVERFLOW: fs9p.EOVERFLOW,
}

// toErrno finds what the guest is told for an error of the host.
func toErrno(err error) error {
	if err == nil {
		return nil
	}
	var host syscall.Errno
	if errors.As(err, &host) {
		if e, ok := errnos[host]; ok {
			return e
		}
		if e, ok := moreErrnos[host]; ok {
			return e
		}
	}
	return fs9p.ErrnoOf(err)
}

// ownerRefused tells whether a chown failed for want of privilege.
func ownerRefused(err error) bool {
	return errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOSYS)
}
