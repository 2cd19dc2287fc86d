package mem

// plain is a bank on the heap.
type plain []byte

// WriteAt implements bank.
func (b plain) WriteAt(p []byte, off int64) (int, error) { return copy(b[off:], p), nil }

// ReadAt implements bank.
func (b plain) ReadAt(p []byte, off int64) (int, error) { return copy(p, b[off:]), nil }

func (plain) part() *mapping { return nil }

func (plain) close() error { return nil }
