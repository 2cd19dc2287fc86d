// Package seal tells whether a file has been written to since it was known to
// be right, without reading it.
//
// A file is sealed by its time of modification: the fraction of the second is a
// digest of the file's name, its size and the second. Whoever writes to it, or
// cuts it, breaks the seal; a copy that keeps times keeps it. So a file of
// gigabytes whose seal holds need not be read through at each start. Where a file
// system does not keep fractions no seal holds, and files are read through.
//
// Deviation: a disk that gives back other bytes than it was given breaks no
// seal.
package seal

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// unit is the finest that the usual file systems keep, NTFS's.
const unit = 100 * time.Nanosecond

// of is the time that seals a file of that name and size in that second.
func of(name string, size, sec int64) time.Time {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %d", name, size, sec))
	n := binary.LittleEndian.Uint64(sum[:]) % uint64(time.Second/unit)
	return time.Unix(sec, int64(n)*int64(unit))
}

// Set seals a file, which will have that name in its folder. An error leaves it
// without a seal.
func Set(file, name string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	return os.Chtimes(file, time.Time{}, of(name, info.Size(), info.ModTime().Unix()))
}

// Holds tells whether a file is there and its seal holds.
func Holds(file string) bool {
	info, err := os.Stat(file)
	return err == nil && info.ModTime().Equal(of(filepath.Base(file), info.Size(), info.ModTime().Unix()))
}
