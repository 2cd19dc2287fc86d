//go:build !linux

package mem

func newBank(n int) (bank, error) { return make(plain, n), nil }

// pages knows nothing of its pages.
type pages struct{}

func openPages() pages { return pages{} }

func (pages) close() {}

// touched says which pages may be other than zero.
func (pages) touched([]byte) func(page uint32) bool { return anyPage }

// data says which pages may be other than zero; nil: all.
func (*mapping) data() []bool { return nil }
