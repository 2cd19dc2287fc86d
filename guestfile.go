package alpinevm

import (
	"io"
	"io/fs"
	"sync"

	"alpinevm/fs9p"
	"alpinevm/kernel"
)

// guestFile is a file or folder of a guest that is open for reading. The guest is
// asked when the first Read or ReadDir comes.
type guestFile struct {
	g    *GuestFS
	name string
	info fs.FileInfo

	mu     sync.Mutex
	closed bool
	r      *io.PipeReader // nil: nothing has been read
	list   []fs.DirEntry
	listed bool
}

func (f *guestFile) fail(op string, err error) error {
	return &fs.PathError{Op: op, Path: f.name, Err: err}
}

func (f *guestFile) Stat() (fs.FileInfo, error) { return f.info, nil }

// Read reads on.
func (f *guestFile) Read(p []byte) (int, error) {
	r, err := f.reader()
	if err != nil {
		return 0, err
	}
	return r.Read(p)
}

func (f *guestFile) reader() (*io.PipeReader, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.closed:
		return nil, f.fail("read", fs.ErrClosed)
	case f.info.IsDir():
		return nil, f.fail("read", fs9p.EISDIR)
	case f.r != nil:
		return f.r, nil
	}
	r, w := io.Pipe()
	j, err := f.g.start("read", kernel.FileCall{Op: kernel.FileRead}, f.name, nil, w)
	if err != nil {
		return nil, err
	}
	f.r = r
	go func() { w.CloseWithError(f.g.wait(j, "read", f.name)) }()
	return r, nil
}

// ReadDir lists on.
func (f *guestFile) ReadDir(n int) ([]fs.DirEntry, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.closed:
		return nil, f.fail("readdir", fs.ErrClosed)
	case !f.info.IsDir():
		return nil, f.fail("readdir", fs9p.ENOTDIR)
	}
	if !f.listed {
		var err error
		if f.list, err = f.g.ReadDir(f.name); err != nil {
			return nil, err
		}
		f.listed = true
	}
	if n <= 0 {
		n = len(f.list)
	} else if len(f.list) == 0 {
		return nil, io.EOF
	}
	k := min(n, len(f.list))
	list := f.list[:k:k]
	f.list = f.list[k:]
	return list, nil
}

// Close ends the reading.
func (f *guestFile) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return f.fail("close", fs.ErrClosed)
	}
	f.closed = true
	if f.r != nil {
		f.r.Close()
	}
	return nil
}

// guestWriter is a file that is being written.
type guestWriter struct {
	g    *GuestFS
	name string
	w    *io.PipeWriter
	n    int64
	job  *Job
	said sayings
	once sync.Once
	err  error
}

// sayings is what the guest says of a file before it takes data, and behind that.
type sayings struct {
	limited
	first chan struct{} // closed when something was said
}

func (s *sayings) Write(p []byte) (int, error) {
	before := s.Len()
	n, err := s.limited.Write(p)
	if before == 0 && n > 0 {
		close(s.first)
	}
	return n, err
}

func (g *GuestFS) create(name string, perm fs.FileMode) (*guestWriter, error) {
	r, w := io.Pipe()
	f := &guestWriter{g: g, name: name, w: w, said: sayings{first: make(chan struct{})}}
	var err error
	if f.job, err = g.start("create", kernel.FileCall{Op: kernel.FileWrite, Mode: uint32(perm.Perm())}, name, r, &f.said); err != nil {
		return nil, err
	}
	go func() {
		<-f.job.ended
		r.CloseWithError(&fs.PathError{Op: "write", Path: name, Err: fs9p.EPIPE}) // Close says why
	}()
	select {
	case <-f.said.first:
		return f, nil
	case <-f.job.done:
	case <-g.ctx.Done():
	}
	w.Close()
	if err := g.wait(f.job, "create", name); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *guestWriter) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	f.n += int64(n)
	return n, err
}

// Close waits until the guest has taken all. A file that is shorter then had no
// room.
func (f *guestWriter) Close() error {
	f.once.Do(func() {
		f.w.Close()
		if f.err = f.g.wait(f.job, "write", f.name); f.err != nil {
			return
		}
		b := f.said.Bytes()
		s, ok := kernel.ParseStat(b[min(len(b), kernel.StatSize):])
		switch {
		case !ok:
			f.err = &fs.PathError{Op: "write", Path: f.name, Err: fs9p.EIO}
		case s.Mode&fs9p.ModeType == fs9p.ModeRegular && s.Size < f.n:
			f.err = &fs.PathError{Op: "write", Path: f.name, Err: fs9p.ENOSPC}
		}
	})
	return f.err
}
