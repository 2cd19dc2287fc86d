//go:build !linux

package hostfs

import (
	"os"

	"alpinevm/fs9p"
)

func statfs(*folder) (fs9p.Statfs, error) { return fs9p.Statfs{BlockSize: 4096}, nil }

// Without attributes on the host all are kept.

func readXattr(*os.File, string) ([]byte, error) { return nil, fs9p.EOPNOTSUPP }

func listXattrs(*os.File) ([]string, error) { return nil, nil }

func writeXattr(*os.File, string, []byte, uint32) error { return fs9p.EOPNOTSUPP }

func removeXattr(*os.File, string) error { return fs9p.EOPNOTSUPP }

// reopen: a file without a name cannot be opened.
func reopen(*os.File, int) (*os.File, error) { return nil, fs9p.ESTALE }
