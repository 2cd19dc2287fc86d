package confine

import (
	"fmt"
	"path/filepath"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
)

// leastLandlock is the version from which on a process may move files between
// its folders (Linux 5.19).
const leastLandlock = 2

// What may be done to files. Nothing is ever executed, and no device, fifo or
// socket made.
const (
	readFiles   = ll.AccessFSReadFile
	readAll     = readFiles | ll.AccessFSReadDir
	changeFiles = ll.AccessFSWriteFile | ll.AccessFSTruncate
	changeAll   = readAll | changeFiles | ll.AccessFSRemoveDir | ll.AccessFSRemoveFile | ll.AccessFSMakeDir | ll.AccessFSMakeReg |
		ll.AccessFSMakeSym | ll.AccessFSRefer
)

func probeLandlock() error {
	switch v, err := ll.LandlockGetABIVersion(); {
	case err != nil:
		return fmt.Errorf("the kernel has none (%w)", err)
	case v < leastLandlock:
		return fmt.Errorf("the kernel has version %d, %d is needed", v, leastLandlock)
	}
	return nil
}

// restrictFiles leaves what c names.
func restrictFiles(c Config) error {
	if err := probeLandlock(); err != nil {
		return err
	}
	var rules []landlock.Rule
	allow := func(access landlock.AccessFSSet, names ...string) {
		rules = append(rules, landlock.PathAccess(access, names...))
	}
	for _, s := range c.Shares {
		switch {
		case s.File && s.ReadOnly:
			allow(readFiles, filepath.Dir(s.Path))
		case s.File:
			allow(readFiles|changeFiles, filepath.Dir(s.Path))
		case s.ReadOnly:
			allow(readAll, s.Path)
		default:
			allow(changeAll, s.Path)
		}
	}
	allow(changeAll, exists(c.Keep)...)
	for _, name := range exists(c.Read) {
		if isDir(name) {
			allow(readAll, name)
		} else {
			allow(readFiles, name)
		}
	}
	return landlock.V9.BestEffort().RestrictPaths(rules...)
}
