//go:build linux && amd64

package amd64

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Supported says why the host cannot run translated code: what it lets a process
// map.
func Supported() error {
	write, exec, err := mapTwice(1 << 12)
	if err != nil {
		return err
	}
	return errors.Join(unix.Munmap(write), unix.Munmap(exec))
}
