//go:build linux || darwin || freebsd

package hostfs

import (
	"golang.org/x/sys/unix"

	"alpinevm/fs9p"
)

// renamesOver: a directory can take the place of an empty one.
const renamesOver = true

// descriptors gives those of two directories.
func descriptors(a, b *inode) (int, int, error) {
	var fds [2]int
	for i, n := range []*inode{a, b} {
		f, err := n.dir()
		if err != nil {
			return 0, 0, err
		}
		d, err := f.file()
		if err != nil {
			return 0, 0, err
		}
		fds[i] = int(d.Fd())
	}
	return fds[0], fds[1], nil
}

// rename moves an entry from one directory to another. Neither name is followed.
func rename(from *inode, oldName string, to *inode, newName string) error {
	a, b, err := descriptors(from, to)
	if err != nil {
		return err
	}
	return unix.Renameat(a, oldName, b, newName)
}

// link enters what is at oldName in one directory, which is not followed, in another.
func link(from *inode, oldName string, to *inode, newName string) error {
	a, b, err := descriptors(from, to)
	if err != nil {
		return err
	}
	return unix.Linkat(a, oldName, b, newName, 0)
}

// chtimes sets times of what is at name, which is not followed.
func (f *folder) chtimes(name string, _ bool, t times) error {
	ts, err := t.specs()
	if err != nil {
		return err
	}
	d, err := f.file()
	if err != nil {
		return err
	}
	return unix.UtimesNanoAt(int(d.Fd()), name, ts[:], unix.AT_SYMLINK_NOFOLLOW)
}

// specs gives t as utimensat(2) takes it. The seconds of a host of 32 bits may not reach.
func (t times) specs() ([2]unix.Timespec, error) {
	var out [2]unix.Timespec
	for i, s := range []*fs9p.Timespec{t.access, t.modified} {
		if s == nil {
			out[i].Nsec = utimeOmit
			continue
		}
		var err error
		if out[i], err = unix.TimeToTimespec(s.Time()); err != nil {
			return out, fs9p.EOVERFLOW
		}
	}
	return out, nil
}
