package apk

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"alpinevm/internal/seal"
)

// DamagedError is the error of a file of the cache that is not what it was made
// as, or is gone.
type DamagedError struct{ File string }

func (e *DamagedError) Error() string { return "the file " + e.File + " of the cache is damaged" }

// Is makes a package that is damaged one that is not there.
func (e *DamagedError) Is(err error) bool { return err == ErrMissing }

// hexSum is the SHA-256 of b in hexadecimal digits.
func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// sumFile is the file with the SHA-256 of a package's data.
func sumFile(data string) string { return strings.TrimSuffix(data, ".tar") + ".sum" }

func (c *Cache) placeSum(data string, sum []byte) error {
	return c.place(sumFile(data), func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%x\n", sum)
		return err
	})
}

// sound tells whether a package's data are in their place and as they were made.
// Where their seal is broken they are read through, and sealed again if they are
// right.
func (c *Cache) sound(data string) bool {
	if seal.Holds(data) {
		return true
	}
	want, err := os.ReadFile(sumFile(data))
	if err != nil {
		return false
	}
	f, err := os.Open(data)
	if err != nil {
		return false
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.CopyBuffer(struct{ io.Writer }{sum}, f, make([]byte, 256<<10)); err != nil || hex.EncodeToString(sum.Sum(nil))+"\n" != string(want) {
		return false
	}
	seal.Set(data, filepath.Base(data))
	return true
}

// withDamage says of an error of fetching a package again why that was tried.
func withDamage(err, before error) error {
	var e *Error
	var damaged *DamagedError
	if !errors.As(err, &e) || !errors.As(before, &damaged) {
		return err
	}
	return &Error{e.What, damaged.Error() + " or gone, and could not be fetched again: " + e.Why, e.Next, errors.Join(err, before)}
}

// reserve is what is left free on the disk, in bytes, and spaceStep how much is
// written between two looks at it.
const (
	reserve   = 64 << 20
	spaceStep = 16 << 20
)

// spaceError is the error of a disk that has no room for what would come.
type spaceError struct{ free int64 }

func (e *spaceError) Error() string { return fmt.Sprintf("%d MB are free", e.free/1e6) }

// roomy writes while the disk has room.
type roomy struct {
	c    *Cache
	w    io.Writer
	n    int64
	next int64 // of the bytes, when the disk is looked at
}

func (r *roomy) Write(p []byte) (int, error) {
	if r.n >= r.next {
		if free, ok := r.c.cfg.Free(r.c.cfg.Dir); ok && free-reserve < int64(len(p)) {
			return 0, &spaceError{free}
		}
		r.next = r.n + spaceStep
	}
	n, err := r.w.Write(p)
	r.n += int64(n)
	return n, err
}
