package website

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"

	"alpinevm/fs9p/statefs"
	"alpinevm/fs9p/storage"
)

// rootFile is the file of a storage that says of what root it keeps changes, or that
// it keeps all of one.
const rootFile = "root"

// wholeRoot is what it says of one that was imported.
const wholeRoot = "whole"

// Errors of what is kept.
var (
	// ErrOtherRoot is of a kept machine whose root is no longer what the site has.
	ErrOtherRoot = errors.New("what is kept under this name are changes to another image than the one that is here now: give the machine another name, or clear this site's data in the browser's settings")
	// ErrTaken is of an import into a storage that keeps something.
	ErrTaken = errors.New("there is a machine of this name already: give the other one another name")
)

// Keeping is what a storage keeps.
type Keeping int

// What there may be.
const (
	Fresh   Keeping = iota // nothing yet
	Changes                // to the root that the site has
	Whole                  // a root, which needs none below it
)

// Kept makes sure that what a storage keeps is of use for the machine: changes to its
// root, since they name that one's files, or a root of its own, which the machine is
// given then. One that keeps nothing yet is told.
func Kept(s storage.Storage, m *Machine) (Keeping, error) {
	data, err := json.Marshal(m.Root)
	if err != nil {
		return Fresh, err
	}
	sum := sha256.Sum256(data)
	want := hex.EncodeToString(sum[:])
	switch have, err := readMark(s); {
	case err != nil:
		return Fresh, err
	case have == want:
		return Changes, nil
	case have == wholeRoot:
		m.standAlone()
		return Whole, nil
	case have != "":
		return Fresh, ErrOtherRoot
	}
	if err := statefs.Clear(s); err != nil { // of an import that was not ended
		return Fresh, err
	}
	return Fresh, writeMark(s, want)
}

// readMark is what the storage says of its root, "" where it keeps nothing.
func readMark(s storage.Storage) (mark string, err error) {
	f, err := s.Open(rootFile)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	have := make([]byte, 2*sha256.Size)
	n, err := f.ReadAt(have, 0)
	if err == io.EOF {
		err = nil
	}
	return string(have[:n]), err
}

func writeMark(s storage.Storage, mark string) (err error) {
	f, err := s.Open(rootFile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.WriteAt([]byte(mark), 0); err != nil {
		return err
	}
	return f.Sync()
}

// standAlone makes the machine one whose root is all in its storage. What the site's
// image runs may not be in it: it has a login shell.
func (m *Machine) standAlone() {
	m.Root = Tree{}
	m.Args, m.Env, m.Dir, m.User, m.Init = nil, nil, "", "", false
}

// alone tells whether the machine's root is all in its storage.
func (m *Machine) alone() bool { return len(m.Root.Archive.Chunks) == 0 }
