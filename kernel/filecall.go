package kernel

import "encoding/binary"

// A FileCall is what a job does to one of the guest's files in place of running a program, as root: so the host sees files as the guest's
// programs do, whatever it has in memory and has mounted, and nothing is asked of the image. The job's exit code is 0, or 256 less the
// error of Linux (FileError).
type FileCall struct {
	Op   FileOp
	Name string // absolute
	To   string // of FileRename the new name, of FileSymlink what the link has
	Mode uint32 // of what is made
}

// FileOp is what a FileCall does.
type FileOp uint8

// What can be done to files.
const (
	FileRead     FileOp = iota // writes the content to standard output
	FileWrite                  // makes the file hold what standard input has, and tells before and after what FileStat does
	FileList                   // writes the entries of a folder: see ParseDirents
	FileStat                   // writes StatSize bytes: see ParseStat
	FileLstat                  // the same of a symbolic link itself
	FileReadlink               // writes what a symbolic link has
	FileMkdir
	FileUnlink
	FileRmdir
	FileRename
	FileSymlink
	FileChmod
)

// FileError gives the error of Linux that a FileCall's exit code stands for; 0 if there is none.
func FileError(code int) int {
	if code == 0 {
		return 0
	}
	return 256 - code
}

// Numbers of arch/x86/entry/syscalls/syscall_32.tbl and include/uapi/asm-generic/fcntl.h.
const (
	callUnlink     = 10
	callChmod      = 15
	callRename     = 38
	callMkdir      = 39
	callRmdir      = 40
	callSymlink    = 83
	callReadlink   = 85
	callStat64     = 195
	callLstat64    = 196
	callFstat64    = 197
	callGetdents64 = 220

	openLarge  = 0o100000
	openCreate = 0o100
	openTrunc  = 0o1000
)

// StatSize is the size of struct stat64 (arch/x86/include/uapi/asm/stat.h) in bytes.
const StatSize = 96

// FileStatus is what stat64 tells, with Linux's mode and times in seconds and nanoseconds.
type FileStatus struct {
	Mode, Nlink, UID, GID uint32
	Size                  int64
	Mtime, MtimeNsec      uint32
	Inode                 uint64
}

// ParseStat reads a struct stat64.
func ParseStat(b []byte) (s FileStatus, ok bool) {
	if len(b) != StatSize {
		return s, false
	}
	le := binary.LittleEndian
	return FileStatus{
		Mode: le.Uint32(b[16:]), Nlink: le.Uint32(b[20:]), UID: le.Uint32(b[24:]), GID: le.Uint32(b[28:]), Size: int64(le.Uint64(b[44:])),
		Mtime: le.Uint32(b[72:]), MtimeNsec: le.Uint32(b[76:]), Inode: le.Uint64(b[88:]),
	}, true
}

// GuestDirent is an entry of a folder. Type is its d_type, 0 where the file system does not say.
type GuestDirent struct {
	Name string
	Type uint8
}

// direntHead is the size of struct linux_dirent64 (include/linux/dirent.h) without the name.
const direntHead = 19

// ParseDirents reads structs linux_dirent64, without "." and "..".
func ParseDirents(b []byte) (list []GuestDirent, ok bool) {
	for len(b) > 0 {
		if len(b) < direntHead {
			return nil, false
		}
		size := int(binary.LittleEndian.Uint16(b[16:]))
		if size <= direntHead || size > len(b) {
			return nil, false
		}
		name := b[direntHead:size]
		for i, x := range name {
			if x == 0 {
				name = name[:i]
				break
			}
		}
		if s := string(name); s != "." && s != ".." {
			list = append(list, GuestDirent{s, b[18]})
		}
		b = b[size:]
	}
	return list, true
}

// calls adds the calls and gives the first.
func (f *FileCall) calls(c *caller) label {
	status, fd, n, buffer := c.room(4), c.room(4), c.room(4), c.room(pumpSize)
	name, to := arg(c.text(f.Name)), arg(c.text(f.To))
	failed := map[uint32]label{} // by the cell that has the error
	for _, cell := range []uint32{status, fd, n} {
		failed[cell] = c.here()
		c.try(callExit, at(cell))
	}
	// call adds a call that keeps what it returns in a cell, and whose error ends it all.
	call := func(cell, number uint32, args ...arg) *call {
		k := c.add(number, args...).fails(failed[cell])
		k.to = cell
		return k
	}
	// copies carries what a call reads until there is nothing left.
	copies := func(number uint32, from, into arg) {
		over, loop := c.label(), c.here()
		call(n, number, from, arg(buffer), pumpSize).zero = over
		call(status, callWrite, into, arg(buffer), at(n)).next = loop
		c.bind(over)
	}
	first := c.here()
	switch f.Op {
	case FileRead:
		call(fd, callOpen, name, openRead|openLarge)
		copies(callRead, at(fd), 1)
	case FileList:
		call(fd, callOpen, name, openRead|openLarge|openFolder)
		copies(callGetdents64, at(fd), 1)
	case FileWrite:
		call(fd, callOpen, name, openWrite|openLarge|openCreate|openTrunc, arg(f.Mode))
		tell := func() {
			call(status, callFstat64, at(fd), arg(buffer))
			call(status, callWrite, 1, arg(buffer), StatSize)
		}
		tell()
		copies(callRead, 0, at(fd))
		tell()
	case FileStat, FileLstat:
		number := uint32(callStat64)
		if f.Op == FileLstat {
			number = callLstat64
		}
		call(status, number, name, arg(buffer))
		call(status, callWrite, 1, arg(buffer), StatSize)
	case FileReadlink:
		call(n, callReadlink, name, arg(buffer), maxPath)
		call(status, callWrite, 1, arg(buffer), at(n))
	case FileMkdir:
		call(status, callMkdir, name, arg(f.Mode))
	case FileUnlink:
		call(status, callUnlink, name)
	case FileRmdir:
		call(status, callRmdir, name)
	case FileRename:
		call(status, callRename, name, to)
	case FileSymlink:
		call(status, callSymlink, to, name)
	case FileChmod:
		call(status, callChmod, name, arg(f.Mode))
	}
	c.exit(0)
	return first
}
