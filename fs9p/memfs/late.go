package memfs

// LateState is a State whose contents are read when it is written, from what holds
// them.
type LateState struct {
	Tree  []byte
	Files []LateFile
}

// LateFile is a FileState.
type LateFile struct {
	ID, Size, Borrowed uint64
	First              func() ([]byte, error)
	Chunks             []LateChunk
}

// LateChunk is a ChunkState.
type LateChunk struct {
	Index uint64
	Data  func() ([]byte, error)
}

// Holder is a file system that stands still, such as a *statefs.Frozen.
type Holder interface {
	// Tree gives the changes of package tree that make all names and attributes.
	Tree() []byte
	// Numbers are those of the files whose contents may hold something.
	Numbers() []uint64
	// Ranges tells the size of a content in bytes, and calls yield for its ranges that may
	// hold something else than zeros.
	Ranges(id uint64, yield func(off, n int64)) (size int64, err error)
	// ReadAt reads a content; what is behind its end is zero.
	ReadAt(id uint64, p []byte, off int64) error
}

// LateStateOf is what a file system in memory would save that held the same.
func LateStateOf(h Holder) (s LateState, err error) {
	s.Tree = h.Tree()
	for _, id := range h.Numbers() {
		f, err := lateFile(h, id)
		if err != nil {
			return s, err
		}
		if f.Size > 0 {
			s.Files = append(s.Files, f)
		}
	}
	return s, nil
}

// lateFile tells what is to be read of a file.
func lateFile(h Holder, id uint64) (f LateFile, err error) {
	read := func(off, n uint64) func() ([]byte, error) {
		return func() ([]byte, error) {
			p := make([]byte, n)
			return p, h.ReadAt(id, p, int64(off))
		}
	}
	next := uint64(1) // chunk that is not among f's yet
	size, err := h.Ranges(id, func(off, n int64) {
		for i := max(next, uint64(off)/ChunkSize); i*ChunkSize < uint64(off+n); i++ {
			f.Chunks = append(f.Chunks, LateChunk{i, read(i*ChunkSize, ChunkSize)})
			next = i + 1
		}
	})
	f.ID, f.Size, f.First = id, uint64(size), read(0, min(uint64(size), ChunkSize))
	return f, err
}
