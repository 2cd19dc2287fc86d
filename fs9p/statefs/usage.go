package statefs

import (
	"errors"
	"io/fs"
	"path/filepath"
)

// Usage tells how many bytes a file system's folder takes on the disk, which may
// be in use. One that is not there takes none.
func Usage(dir string) (n int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		var info fs.FileInfo
		if err == nil && !d.IsDir() {
			info, err = d.Info()
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it went meanwhile
		}
		if err == nil && info != nil {
			n += int64(blocksOf(info)) * 512
		}
		return err
	})
	return n, err
}
