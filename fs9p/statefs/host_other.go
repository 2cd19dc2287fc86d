//go:build !unix

package statefs

import "io/fs"

// hostBlocks takes no hole into account.
func hostBlocks(info fs.FileInfo) uint64 { return uint64(info.Size()+511) / 512 }

// countsNames tells whether namesOf is true.
const countsNames = false

// namesOf takes every file for one of a single name.
func namesOf(fs.FileInfo) uint64 { return 1 }

// hostData takes all of a file for data.
func hostData(_ diskFile, off, size int64) (from, to int64) { return off, size }

// syncDir leaves that to the host.
func syncDir(string) error { return nil }
