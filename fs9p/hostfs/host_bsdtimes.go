//go:build darwin || freebsd

package hostfs

import (
	"os"

	"golang.org/x/sys/unix"

	"alpinevm/fs9p"
)

// chtimesOpen sets times to the microsecond. What is to stay is set to what
// stat tells.
func chtimesOpen(f *os.File, t times) error {
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	a := attrOf(fi)
	var tv [2]unix.Timeval
	for i, s := range []*fs9p.Timespec{t.access, t.modified} {
		if s == nil {
			s = []*fs9p.Timespec{&a.Atime, &a.Mtime}[i]
		}
		ts, err := unix.TimeToTimespec(s.Time())
		if err != nil {
			return fs9p.EOVERFLOW
		}
		tv[i] = unix.NsecToTimeval(int64(ts.Nsec))
		tv[i].Sec = ts.Sec
	}
	return unix.Futimes(int(f.Fd()), tv[:])
}
