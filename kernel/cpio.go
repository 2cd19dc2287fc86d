package kernel

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"strings"
)

// File types in a mode, as Unix has them.
const (
	modeDir     = 0o040000
	modeChar    = 0o020000
	modeRegular = 0o100000
	modeSymlink = 0o120000
)

// CPIO composes an archive in the "newc" form (Linux Documentation/driver-api/early-userspace/buffer-format), owned by root, with
// every time zero, so that equal contents give equal bytes. Folders above a file are made on the way. The zero value is ready.
type CPIO struct {
	buf   bytes.Buffer
	inode uint32
	seen  map[string]bool // the names; true: it is a folder
	err   error
}

// File adds a regular file. The name is absolute or relative to the root; mode holds the permission bits.
func (c *CPIO) File(name string, mode uint32, data []byte) {
	c.entry(name, modeRegular|mode&0o7777, 0, 0, data)
}

// Dir adds a folder with everyone's read permission.
func (c *CPIO) Dir(name string) { c.entry(name, modeDir|0o755, 0, 0, nil) }

// Symlink adds a symbolic link.
func (c *CPIO) Symlink(name, target string) { c.entry(name, modeSymlink|0o777, 0, 0, []byte(target)) }

// CharDevice adds a character device.
func (c *CPIO) CharDevice(name string, mode, major, minor uint32) {
	c.entry(name, modeChar|mode&0o7777, major, minor, nil)
}

// Bytes ends the archive and returns it. The error is that of the first entry that could not be added.
func (c *CPIO) Bytes() ([]byte, error) {
	if c.err != nil {
		return nil, c.err
	}
	b := bytes.NewBuffer(bytes.Clone(c.buf.Bytes()))
	writeEntry(b, cpioTrailer, 0, 0, 0, 0, nil)
	return b.Bytes(), nil
}

const (
	cpioMagic   = "070701"
	cpioTrailer = "TRAILER!!!"
	cpioMaxFile = 1<<32 - 1
	cpioMaxName = 4095 // init/initramfs.c takes no more
)

func (c *CPIO) entry(name string, mode, major, minor uint32, data []byte) {
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	dir := path.Dir(name)
	folder, there := c.seen[name]
	above, made := c.seen[dir]
	switch {
	case c.err != nil:
		return
	case name == "" || len(name) > cpioMaxName || name == cpioTrailer || strings.ContainsRune(name, 0):
		c.err = fmt.Errorf("cpio: bad file name %q", name)
		return
	case uint64(len(data)) > cpioMaxFile:
		c.err = fmt.Errorf("cpio: %s: %w", name, errors.ErrUnsupported)
		return
	case folder && mode&modeDir != 0:
		return
	case there:
		c.err = fmt.Errorf("cpio: %s is there twice", name)
		return
	case made && !above:
		c.err = fmt.Errorf("cpio: %s: %s is no folder", name, dir)
		return
	}
	if dir != "." && !made {
		if c.Dir(dir); c.err != nil {
			return
		}
	}
	if c.seen == nil {
		c.seen = map[string]bool{}
	}
	c.seen[name] = mode&modeDir != 0
	c.inode++
	writeEntry(&c.buf, name, c.inode, mode, major, minor, data)
}

// writeEntry adds a header, the name and the data, each filled up to a multiple of four bytes.
func writeEntry(b *bytes.Buffer, name string, inode, mode, major, minor uint32, data []byte) {
	links := uint32(1)
	if mode&modeDir != 0 {
		links = 2
	}
	b.WriteString(cpioMagic)
	for _, v := range [...]uint32{inode, mode, 0, 0, links, 0, uint32(len(data)), 0, 0, major, minor, uint32(len(name) + 1), 0} {
		fmt.Fprintf(b, "%08X", v)
	}
	b.WriteString(name)
	b.WriteByte(0)
	fill(b)
	b.Write(data)
	fill(b)
}

func fill(b *bytes.Buffer) {
	for b.Len()%4 != 0 {
		b.WriteByte(0)
	}
}
