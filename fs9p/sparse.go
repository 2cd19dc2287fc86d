package fs9p

// Sparse is a File that knows where its holes are. Nobody has to go through a
// hole of terabytes to copy what is around it.
type Sparse interface {
	File
	// Ranges calls yield for the ranges that may hold something else than
	// zeros, in their order, until it returns false.
	Ranges(yield func(off, n uint64) bool) error
}

// Content is that of a regular file, as a back end has it that is to be copied.
type Content interface {
	Size() uint64 // in bytes
	ReadAt(p []byte, off uint64) (int, error)
	// Ranges is as Sparse's.
	Ranges(yield func(off, n uint64) bool) error
}
