package store

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"alpinevm/internal/seal"
)

// DamagedError is the error of a file of the cache that is not what it should
// be, or is gone.
type DamagedError struct{ File string }

func (e *DamagedError) Error() string { return "the file " + e.File + " of the cache is damaged" }

// Is makes an image that is damaged one that is not there.
func (e *DamagedError) Is(err error) bool { return err == ErrMissing }

// sound tells whether a file whose name is a digest is in its place and as that
// says; size, if not negative, is how large it should be. The error is one of
// reading it that another file in its place would not help.
func (s *Store) sound(name string, want v1.Hash, size int64) (bool, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil && !os.IsNotExist(err):
		return false, err
	case err != nil, size >= 0 && info.Size() != size:
		return false, nil
	case seal.Holds(name):
		return true, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	sum := sha256.New()
	step := s.cfg.Progress.Begin("check", short(want), info.Size())
	_, err = io.CopyBuffer(sum, &counter{r: f, step: step}, make([]byte, 256<<10))
	ok := err == nil && hex.EncodeToString(sum.Sum(nil)) == want.Hex
	if !ok && err == nil {
		err = &DamagedError{name}
	}
	step.End(err)
	if ok {
		seal.Set(name, filepath.Base(name))
	}
	return ok, nil
}

// needs is sound, and a DamagedError where it is not.
func (s *Store) needs(name string, want v1.Hash, size int64) error {
	ok, err := s.sound(name, want, size)
	if err == nil && !ok {
		err = &DamagedError{name}
	}
	return err
}
