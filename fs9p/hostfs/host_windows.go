package hostfs

import (
	"errors"
	"os"
	"syscall"

	"alpinevm/fs9p"
)

const openFlags = 0

// errnos are what Windows calls so (winerror.h) beyond what io/fs tells.
var errnos = map[syscall.Errno]fs9p.Errno{
	17:  fs9p.EXDEV,        // ERROR_NOT_SAME_DEVICE
	32:  fs9p.EBUSY,        // ERROR_SHARING_VIOLATION
	33:  fs9p.EBUSY,        // ERROR_LOCK_VIOLATION
	112: fs9p.ENOSPC,       // ERROR_DISK_FULL
	123: fs9p.EINVAL,       // ERROR_INVALID_NAME
	145: fs9p.ENOTEMPTY,    // ERROR_DIR_NOT_EMPTY
	206: fs9p.ENAMETOOLONG, // ERROR_FILENAME_EXCED_RANGE
	267: fs9p.ENOTDIR,      // ERROR_DIRECTORY
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
	}
	return fs9p.ErrnoOf(err)
}

// ownerRefused: Windows has no owners that a guest could mean.
func ownerRefused(error) bool { return true }

// keyOf asks for the volume and the index of the file, for which it opens it.
func keyOf(root *os.Root, name string, fi os.FileInfo) (key, error) {
	f, err := root.Open(name)
	if err != nil {
		return key{}, err
	}
	defer f.Close()
	var d syscall.ByHandleFileInformation
	if err := syscall.GetFileInformationByHandle(syscall.Handle(f.Fd()), &d); err != nil {
		return key{}, err
	}
	return key{uint64(d.VolumeSerialNumber), uint64(d.FileIndexHigh)<<32 | uint64(d.FileIndexLow)}, nil
}

func fill(*fs9p.Attr, os.FileInfo) {}

func syncDir(*os.Root) error { return nil }
