package website

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"

	"alpinevm/fs9p/storage"
)

// rootFile is the file of a storage that says of what root it keeps changes.
const rootFile = "root"

// ErrOtherRoot is the error of a kept machine whose root is no longer what the site has.
var ErrOtherRoot = errors.New("what is kept under this name are changes to another image than the one that is here now: give the machine another name, or clear this site's data in the browser's settings")

// Kept makes sure that what a storage keeps are changes to the machine's root, since
// they name that one's files; one that keeps nothing yet is told.
func Kept(s storage.Storage, m *Machine) (err error) {
	data, err := json.Marshal(m.Root)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	want := hex.EncodeToString(sum[:])
	f, err := s.Open(rootFile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	have := make([]byte, len(want))
	n, err := f.ReadAt(have, 0)
	if err != nil && err != io.EOF {
		return err
	}
	switch string(have[:n]) {
	case want:
		return nil
	case "":
		if _, err := f.WriteAt([]byte(want), 0); err != nil {
			return err
		}
		return f.Sync()
	}
	return ErrOtherRoot
}
