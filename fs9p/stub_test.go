package fs9p

import "slices"

// stub is a file system of a directory with one file, whose calls go through
// hooks.
type stub struct {
	slow  bool
	io    func(what string) (int, error) // nil: reads and writes do all that they are asked
	names []string                       // of the file's attributes
	calls map[string]int
	open  int // nodes and files that have not been let go of
}

func (s *stub) Slow() bool              { return s.slow }
func (s *stub) Statfs() (Statfs, error) { return Statfs{}, nil }
func (s *stub) Attach(string) (Node, error) {
	s.open++
	return &stubNode{s: s, dir: true}, nil
}

// did is what a read, a write or a sync of n bytes comes to.
func (s *stub) did(what string, n int) (int, error) {
	if s.calls == nil {
		s.calls = map[string]int{}
	}
	s.calls[what]++
	if s.io == nil {
		return n, nil
	}
	return s.io(what)
}

type stubNode struct {
	ReadOnly
	s          *stub
	dir, waits bool
}

func (n *stubNode) QID() QID {
	if n.dir {
		return QID{Type: QTDir, Path: 1}
	}
	return QID{Path: 2}
}
func (n *stubNode) Release()                  { n.s.open-- }
func (n *stubNode) Attr() (Attr, error)       { return Attr{Mode: ModeRegular | 0o644}, nil }
func (n *stubNode) Readlink() (string, error) { return "", EINVAL }
func (n *stubNode) Xattrs() ([]string, error) { return slices.Clone(n.s.names), nil }

// Walk finds a directory under names of the greatest length, under "wait" a
// Waiter that never has anything, and else the file.
func (n *stubNode) Walk(name string) (Node, error) {
	n.s.open++
	return &stubNode{s: n.s, dir: len(name) == MaxName, waits: name == "wait"}, nil
}
func (n *stubNode) Open(uint32) (File, error) {
	n.s.open++
	if n.waits {
		return stubWaiter{stubFile{n.s}}, nil
	}
	return stubFile{n.s}, nil
}

type stubFile struct{ s *stub }

func (f stubFile) ReadAt(p []byte, _ uint64) (int, error)  { return f.s.did("read", len(p)) }
func (f stubFile) WriteAt(p []byte, _ uint64) (int, error) { return f.s.did("write", len(p)) }
func (f stubFile) ReadDir(uint64, func(Dirent) bool) error { return nil }
func (f stubFile) Sync(bool) error                         { _, err := f.s.did("sync", 0); return err }
func (f stubFile) Close() error                            { f.s.open--; return nil }

type stubWaiter struct{ stubFile }

func (stubWaiter) StartRead([]byte, uint64, func(int, error)) (int, func(), error) {
	return 0, func() {}, nil
}
func (stubWaiter) StartWrite([]byte, uint64, func(int, error)) (int, func(), error) {
	return 0, func() {}, nil
}
