package fs9p

// ReadOnly is embedded in the Nodes of a back end that cannot be changed: it
// answers EROFS to whatever would, and has no extended attributes.
type ReadOnly struct{}

// The methods below are parts of [Node].

// SetAttr answers EROFS.
func (ReadOnly) SetAttr(SetAttr) error { return EROFS }

// Create answers EROFS.
func (ReadOnly) Create(string, uint32, uint32, Owner) (Node, File, error) { return nil, nil, EROFS }

// Mkdir answers EROFS.
func (ReadOnly) Mkdir(string, uint32, Owner) (QID, error) { return QID{}, EROFS }

// Symlink answers EROFS.
func (ReadOnly) Symlink(string, string, Owner) (QID, error) { return QID{}, EROFS }

// Mknod answers EROFS.
func (ReadOnly) Mknod(string, uint32, uint64, Owner) (QID, error) { return QID{}, EROFS }

// Link answers EROFS.
func (ReadOnly) Link(string, Node) error { return EROFS }

// Unlink answers EROFS.
func (ReadOnly) Unlink(string, bool) error { return EROFS }

// Rename answers EROFS.
func (ReadOnly) Rename(string, Node, string) error { return EROFS }

// Xattr answers ENODATA.
func (ReadOnly) Xattr(string) ([]byte, error) { return nil, ENODATA }

// Xattrs answers with none.
func (ReadOnly) Xattrs() ([]string, error) { return nil, nil }

// SetXattr answers EROFS.
func (ReadOnly) SetXattr(string, []byte, uint32) error { return EROFS }

// RemoveXattr answers EROFS.
func (ReadOnly) RemoveXattr(string) error { return EROFS }
