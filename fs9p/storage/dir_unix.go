//go:build unix

package storage

import (
	"errors"
	"os"
)

// syncDir brings the names in a folder to the disk.
func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
