package statefs

// State is what the folder does not say of a file system in use: the files that
// have lost their last name and are held by somebody. It is plain data.
type State struct {
	Nameless []byte // changes of package tree
}

// Save gives the State, and brings everything to the disk. A copy of the folder
// that is made before anything else is changed goes with it.
func (f *FS) Save() (s State, err error) {
	for _, n := range f.tree.Inodes() {
		if err := n.Settle(); err != nil {
			return s, err
		}
	}
	if err := f.barrier(); err != nil {
		return s, err
	}
	err = f.tree.SaveNameless(func(changes []byte) error {
		s.Nameless = append(s.Nameless, changes...)
		return nil
	})
	return s, err
}

// Settle ends a restore: files without a name that nobody has asked for with
// Inode are no more.
func (f *FS) Settle() { f.tree.Settle() }
