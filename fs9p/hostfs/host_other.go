//go:build !linux

package hostfs

import (
	"os"
	"time"

	"alpinevm/fs9p"
)

// What the portable library does not offer is done without.

func statfs(*os.Root) (fs9p.Statfs, error) { return fs9p.Statfs{BlockSize: 4096}, nil }

func mknod(*os.Root, string, uint32) error { return fs9p.EPERM }

func chtimesOpen(*os.File, time.Time, time.Time) error { return nil }

func chtimesLink(*os.Root, string, time.Time, time.Time) error { return nil }

func readXattr(*os.File, string) ([]byte, error) { return nil, fs9p.ENODATA }

func listXattrs(*os.File) ([]string, error) { return nil, nil }

func writeXattr(*os.File, string, []byte, uint32) error { return fs9p.EOPNOTSUPP }

func removeXattr(*os.File, string) error { return fs9p.ENODATA }
