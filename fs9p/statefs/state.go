package statefs

// State is what the folder does not say of a file system in use: the files that
// have lost their last name and are held by somebody. It is plain data.
type State struct {
	Nameless []byte // changes of package tree
}

// Settle ends a restore: files without a name that nobody has asked for with
// Inode are no more.
func (f *FS) Settle() { f.tree.Settle() }
