//go:build !linux

package mem

func newBank(n int) (bank, error) { return make(plain, n), nil }

// touched says which pages may be other than zero.
func touched([]byte) func(page uint32) bool { return func(uint32) bool { return true } }
