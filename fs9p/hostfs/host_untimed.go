//go:build !linux && !darwin && !freebsd && !windows

package hostfs

import (
	"os"

	"alpinevm/fs9p"
)

func chtimesOpen(*os.File, times) error { return fs9p.EOPNOTSUPP }
