package hostfs

import (
	"errors"
	"os"
	"syscall"
	"time"

	"alpinevm/fs9p"
)

const openFlags = 0

// dirsAreFiles: what can be done to an open file can be done to an open directory.
const dirsAreFiles = false

// maxFiles is how many files of a folder may be open at a time.
func maxFiles() int { return 4096 }

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

// identify opens the file at name to tell which one it is.
func (f *folder) identify(name string, fi os.FileInfo) (key, error) {
	file, err := f.root.Open(name)
	if err != nil {
		return key{}, err
	}
	defer file.Close()
	return identifyOpen(file, fi)
}

// identifyOpen asks for the volume and the index of a file.
func identifyOpen(f *os.File, _ os.FileInfo) (key, error) {
	var d syscall.ByHandleFileInformation
	if err := syscall.GetFileInformationByHandle(syscall.Handle(f.Fd()), &d); err != nil {
		return key{}, err
	}
	return key{dev: uint64(d.VolumeSerialNumber), ino: uint64(d.FileIndexHigh)<<32 | uint64(d.FileIndexLow)}, nil
}

func fill(*fs9p.Attr, os.FileInfo) {}

func chtimesOpen(f *os.File, t times) error {
	access, modified, err := t.portable()
	if err != nil {
		return err
	}
	return syscall.SetFileTime(syscall.Handle(f.Fd()), nil, filetime(access), filetime(modified))
}

// filetime gives a time as SetFileTime takes it: nil leaves one as it is.
func filetime(t time.Time) *syscall.Filetime {
	if t.IsZero() {
		return nil
	}
	ft := syscall.NsecToFiletime(t.UnixNano())
	return &ft
}

func (*folder) sync() error { return nil }
