// Package fs9p serves files over 9P2000.L, the dialect of Linux's v9fs client.
//
// Sources: "9P2000.L Protocol" (diod, protocol.md) for the messages that Linux
// added, intro(5) to walk(5) of the Plan 9 manual for the rest, and Linux 6.x
// fs/9p and net/9p for what the client in fact sends.
//
// The package holds the codec, the fid table and the server, and declares what
// a back end must be: an [FS] of [Node]s. It knows no back end. All messages
// of 9P2000.L are served; Tauth is refused, since the transport is trusted.
//
// A fid is a handle on an inode, never a path. Permission bits are not checked:
// v9fs, mounted with access=client (its default for this dialect), does that
// itself and attaches once for each user, so that the server learns the owner
// of a new file from the Tattach that its directory's fid descends from.
//
// Deviation: qid.version does not count modifications, since v9fs takes two
// versions of one file for two inodes. A back end chooses: 1 for files that may
// be cached by the guest, 0 for those that must not be (Linux 6.4 and later).
package fs9p

// FS is a tree of files. A server calls it, its Nodes and its Files from one
// goroutine at a time: the machine goroutine, unless the FS is [Slow].
type FS interface {
	// Attach gives the directory that a client sees as its root. aname is what
	// the client asked for, empty or "/" for the root of the tree.
	Attach(aname string) (Node, error)
	// Statfs tells how full the file system is.
	Statfs() (Statfs, error)
}

// Slow is an FS whose calls can take long enough to stall a machine (a host
// disk). A server that was given a Post function runs them on a goroutine of
// its own, in the order in which the requests came.
type Slow interface {
	FS
	// Slow reports whether it is so; it must not change.
	Slow() bool
}

// Node is a handle on one inode: it stays good when the file is renamed or
// unlinked. Names given to it are valid components: not empty, at most 255
// bytes, no slash, no NUL, neither "." nor ".." except for Walk. Errors are
// Errno values. A Node of the kind that an operation is not for answers
// ENOTDIR, EISDIR or EINVAL as Linux would.
type Node interface {
	// QID identifies the inode; its Path is never used again for another one.
	QID() QID
	// Release ends the use of this handle. Every Node that Attach, Walk and
	// Create return is released once; the inode of an unlinked file lives
	// until its last handle is.
	Release()

	Attr() (Attr, error)
	// SetAttr changes what a.Valid names, all or nothing. A time without its
	// _SET bit becomes the present.
	SetAttr(a SetAttr) error
	Readlink() (string, error)

	// Walk finds an entry of a directory; ".." gives its parent, the root's being itself.
	Walk(name string) (Node, error)
	// Open makes ready for I/O. O_TRUNC is obeyed; creation flags are not looked at.
	Open(flags uint32) (File, error)
	// Create makes a regular file and opens it; EEXIST where the name is taken.
	Create(name string, flags, mode uint32, owner Owner) (Node, File, error)
	Mkdir(name string, mode uint32, owner Owner) (QID, error)
	Symlink(name, target string, owner Owner) (QID, error)
	// Mknod makes a file of the type in mode: device, fifo, socket or regular
	// file. rdev is as in Attr.
	Mknod(name string, mode uint32, rdev uint64, owner Owner) (QID, error)
	// Link enters target, a Node of the same FS, under one more name.
	Link(name string, target Node) error
	// Unlink removes an entry: an empty directory if dir is set, else anything but one.
	Unlink(name string, dir bool) error
	// Rename moves the entry oldName to newDir, a Node of the same FS,
	// replacing atomically what is there, as rename(2) says.
	Rename(oldName string, newDir Node, newName string) error

	// Xattr gives the value of an extended attribute, or ENODATA.
	Xattr(name string) ([]byte, error)
	// Xattrs lists the names.
	Xattrs() ([]string, error)
	// SetXattr sets one; flags may hold XattrCreate (EEXIST where it exists)
	// or XattrReplace (ENODATA where it does not). The value is the callee's.
	SetXattr(name string, value []byte, flags uint32) error
	RemoveXattr(name string) error
}

// File is an open Node. It keeps the inode alive until it is closed. A File
// that was not opened for what is asked is never asked: the server checks.
type File interface {
	// ReadAt fills p from offset off and tells how much it read; less than
	// len(p) only at the end of the file, where 0 and a nil error are usual.
	ReadAt(p []byte, off uint64) (int, error)
	// WriteAt writes all of p at off, or at the end where the file was opened
	// with O_APPEND; a smaller count with a nil error is allowed if it is not
	// 0. p is valid during the call only.
	WriteAt(p []byte, off uint64) (int, error)
	// ReadDir calls emit for the entries behind the one with the given cookie,
	// until it returns false. Cookies are above DirStart, an offset of DirStart
	// or less is the beginning; they rise in the order of listing and stay good
	// when entries are deleted. "." and ".." are the server's affair.
	ReadDir(cookie uint64, emit func(Dirent) bool) error
	Sync(dataOnly bool) error
	Close() error
}

// Waiter is a File whose reads and writes may have to wait. The server calls
// StartRead and StartWrite, always on the machine goroutine, in place of ReadAt
// and WriteAt. Its FS must not be Slow.
type Waiter interface {
	File
	// StartRead reads as ReadAt does, and less where less is there. If cancel
	// is nil it is done and n and err are the result. Otherwise done is called
	// later, once, on the machine goroutine, unless cancel is called first; p
	// is written to before done is called and not after cancel.
	StartRead(p []byte, off uint64, done func(n int, err error)) (n int, cancel func(), err error)
	// StartWrite is the same for a write. p is valid during the call only.
	StartWrite(p []byte, off uint64, done func(n int, err error)) (n int, cancel func(), err error)
}

// Bound is a File with a Node of its own: what a client asks about an open file
// is about that one, whatever the Node that was opened has come to stand for.
type Bound interface {
	File
	// Bound gives the Node, which the File holds.
	Bound() Node
}

// Backer is an FS whose files can borrow their content, so that a copy costs
// nothing before it is changed.
type Backer interface {
	FS
	// Back makes the regular file n, which must be empty and of this FS, read
	// as src does up to size, but for what is written to it from now on. Unless
	// it returns an error it closes src when the file no longer needs it. After
	// a restore it is called again, with what Borrowed tells as the size.
	Back(n Node, src Source, size uint64) error
	// Borrowed tells how many bytes from its beginning n reads from a Source,
	// where it was not written to.
	Borrowed(n Node) uint64
}

// Transactor is an FS that can make one change of several: after the death of
// the process either all of it is there or nothing.
type Transactor interface {
	FS
	// Begin starts a change, or says why there can be none. A Begin inside
	// another one belongs to it, whatever that is for.
	Begin(p Purpose) error
	// Commit ends what Begin started, whatever has become of its parts. After
	// an error nothing can be changed any more.
	Commit() error
}

// Numbered is an FS that finds its inodes by number. A number is never used
// again and never means another inode; so a table of fids can be kept as numbers
// and be made anew, be it by another process.
type Numbered interface {
	FS
	// Inode gives the inode whose QID has the given Path, ENOENT if there is
	// none. One that has lost its last name is found as long as somebody holds
	// it, and after a restore until the FS is told to settle.
	Inode(path uint64) (Node, error)
}

// Source is what can be read at any place; a File is one.
type Source interface {
	// ReadAt is as in File.
	ReadAt(p []byte, off uint64) (int, error)
	Close() error
}

// DirStart is the cookie of "..": those of a back end are above it.
const DirStart = 2

// MaxName is the longest file name in bytes.
const MaxName = 255

// Owner says whose a new file is to be. The server has applied the rule of
// set-group-ID directories already.
type Owner struct{ UID, GID uint32 }

// QID types (intro(5)): what the server and v9fs tell apart.
const (
	QTDir     = 0x80
	QTSymlink = 0x02
	QTFile    = 0x00
)

// QID identifies an inode: 13 bytes on the wire.
type QID struct {
	Type    uint8
	Version uint32
	Path    uint64
}

// QIDType gives the QID type of a file of the given mode.
func QIDType(mode uint32) uint8 {
	switch mode & ModeType {
	case ModeDir:
		return QTDir
	case ModeSymlink:
		return QTSymlink
	}
	return QTFile
}

// The file type and the special bits in a mode, as Linux has them.
const (
	ModeType    = 0o170000
	ModeSocket  = 0o140000
	ModeSymlink = 0o120000
	ModeRegular = 0o100000
	ModeBlock   = 0o060000
	ModeDir     = 0o040000
	ModeChar    = 0o020000
	ModeFIFO    = 0o010000
	ModeSetUID  = 0o4000
	ModeSetGID  = 0o2000
	ModeSticky  = 0o1000
	ModePerm    = 0o7777
)

// DirentType gives the d_type of a file of the given mode.
func DirentType(mode uint32) uint8 { return uint8(mode & ModeType >> 12) }

// ClearSetID gives mode without the set-id bits that a write by an unprivileged
// process takes away (Linux setattr_should_drop_suidgid): set-group-ID only
// where the group may execute, since else it means mandatory locking.
func ClearSetID(mode uint32) uint32 {
	if mode&ModeType == ModeDir {
		return mode
	}
	mode &^= ModeSetUID
	if mode&0o010 != 0 {
		mode &^= ModeSetGID
	}
	return mode
}

// Timespec is a time since 1970, as stat tells it.
type Timespec struct {
	Sec  int64
	Nsec uint32
}

// Attr is what stat tells. Mode includes the type; Rdev is as MakeDev makes it;
// Blocks counts 512 bytes.
type Attr struct {
	Mode, UID, GID             uint32
	Nlink, Rdev, Size          uint64
	BlockSize, Blocks          uint64
	Atime, Mtime, Ctime, Btime Timespec
}

// Bits of an attribute mask in Tgetattr and Rgetattr.
const (
	AttrBasic = 0x7FF
	AttrBtime = 0x800
)

// Bits of SetAttr.Valid.
const (
	SetMode    = 1 << 0
	SetUID     = 1 << 1
	SetGID     = 1 << 2
	SetSize    = 1 << 3
	SetAtime   = 1 << 4
	SetMtime   = 1 << 5
	SetCtime   = 1 << 6
	SetAtimeTo = 1 << 7
	SetMtimeTo = 1 << 8
)

// SetAttr says which attributes are to change (Valid, the Set bits) and to
// what. Of Mode, the type is not looked at. A time is the present unless
// SetAtimeTo or SetMtimeTo is set too.
type SetAttr struct {
	Valid, Mode, UID, GID uint32
	Size                  uint64
	Atime, Mtime          Timespec
}

// Dirent is one entry of a directory. Type is its d_type.
type Dirent struct {
	QID    QID
	Cookie uint64
	Type   uint8
	Name   string
}

// Magic is V9FS_MAGIC, the file system type that Statfs tells unless a back end knows better.
const Magic = 0x01021997

// Statfs is what statfs tells; sizes in blocks of BlockSize bytes.
type Statfs struct {
	Type, BlockSize                 uint32
	Blocks, BlocksFree, BlocksAvail uint64
	Files, FilesFree, FSID          uint64
	NameLen                         uint32
}

// Flags of Tlopen and Tlcreate: P9_DOTL_*, which are those of Linux on x86.
const (
	ORdonly    = 0
	OWronly    = 1
	ORdwr      = 2
	OAccmode   = 3
	OCreate    = 0o100
	OExcl      = 0o200
	OTrunc     = 0o1000
	OAppend    = 0o2000
	ONonblock  = 0o4000
	ODirect    = 0o40000
	ODirectory = 0o200000
	ONofollow  = 0o400000
	ONoatime   = 0o1000000
	OPath      = 0o10000000
	OTmpfile   = 0o20000000
)

// CanRead and CanWrite tell what a file opened with flags is for.
func CanRead(flags uint32) bool {
	return flags&OPath == 0 && (flags&OAccmode == ORdonly || flags&OAccmode == ORdwr)
}

// CanWrite is the counterpart of CanRead.
func CanWrite(flags uint32) bool {
	return flags&OPath == 0 && (flags&OAccmode == OWronly || flags&OAccmode == ORdwr)
}

// Flags of Txattrcreate and Node.SetXattr.
const (
	XattrCreate  = 1
	XattrReplace = 2
)

// MaxXattr is the largest value of an extended attribute, XATTR_SIZE_MAX of Linux.
const MaxXattr = 65536

// RemoveDir is AT_REMOVEDIR, the one flag of Tunlinkat.
const RemoveDir = 0x200

// MakeDev packs a device number as Rgetattr carries it (Linux new_encode_dev).
func MakeDev(major, minor uint32) uint64 {
	return uint64(minor&0xFF | major&0xFFF<<8 | minor&^0xFF<<12)
}

// Major and Minor take apart what MakeDev packed.
func Major(dev uint64) uint32 { return uint32(dev) >> 8 & 0xFFF }

// Minor is the counterpart of Major.
func Minor(dev uint64) uint32 { return uint32(dev)&0xFF | uint32(dev)>>12&^0xFF }
