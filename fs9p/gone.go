package fs9p

// gone is the Node of a file that was not there after a restore.
type gone struct{ qid QID }

func (g gone) QID() QID                                               { return g.qid }
func (gone) Release()                                                 {}
func (gone) Attr() (Attr, error)                                      { return Attr{}, ESTALE }
func (gone) SetAttr(SetAttr) error                                    { return ESTALE }
func (gone) Readlink() (string, error)                                { return "", ESTALE }
func (gone) Walk(string) (Node, error)                                { return nil, ESTALE }
func (gone) Open(uint32) (File, error)                                { return nil, ESTALE }
func (gone) Create(string, uint32, uint32, Owner) (Node, File, error) { return nil, nil, ESTALE }
func (gone) Mkdir(string, uint32, Owner) (QID, error)                 { return QID{}, ESTALE }
func (gone) Symlink(string, string, Owner) (QID, error)               { return QID{}, ESTALE }
func (gone) Mknod(string, uint32, uint64, Owner) (QID, error)         { return QID{}, ESTALE }
func (gone) Link(string, Node) error                                  { return ESTALE }
func (gone) Unlink(string, bool) error                                { return ESTALE }
func (gone) Rename(string, Node, string) error                        { return ESTALE }
func (gone) Xattr(string) ([]byte, error)                             { return nil, ESTALE }
func (gone) Xattrs() ([]string, error)                                { return nil, ESTALE }
func (gone) SetXattr(string, []byte, uint32) error                    { return ESTALE }
func (gone) RemoveXattr(string) error                                 { return ESTALE }

// goneFile is what was open there.
type goneFile struct{}

func (goneFile) ReadAt([]byte, uint64) (int, error)      { return 0, ESTALE }
func (goneFile) WriteAt([]byte, uint64) (int, error)     { return 0, ESTALE }
func (goneFile) ReadDir(uint64, func(Dirent) bool) error { return ESTALE }
func (goneFile) Sync(bool) error                         { return ESTALE }
func (goneFile) Close() error                            { return nil }
