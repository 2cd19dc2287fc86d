//go:build !linux && !darwin && !freebsd

package statefs

import "alpinevm/fs9p"

// diskSpace tells of a disk that is half full: the host is not asked.
func diskSpace(string) (fs9p.Statfs, error) {
	const blocks = 1 << 28
	return fs9p.Statfs{BlockSize: 4096, Blocks: blocks, BlocksFree: blocks / 2, BlocksAvail: blocks / 2}, nil
}

// FreeSpace is how many bytes may be written where dir is; it is not known here.
func FreeSpace(string) (n int64, ok bool) { return 0, false }
