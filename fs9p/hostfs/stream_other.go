//go:build !linux

package hostfs

import "slices"

// A mark is a place in the listing of a directory: behind that name.
type mark string

const start mark = ""

// A stream is the names of a directory, read at once and in order, so that a
// place is the same in the next one.
type stream struct{ names []string }

// openStream lists a directory from a place on.
func openStream(f *folder, at mark) (*stream, error) {
	d, err := f.root.Open(".")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	i, found := slices.BinarySearch(names, string(at))
	if found {
		i++
	}
	return &stream{names[i:]}, nil
}

func (*stream) close() {}

// peek gives the next name and the place behind it; no name is the end.
func (s *stream) peek() (string, mark, error) {
	if len(s.names) == 0 {
		return "", start, nil
	}
	return s.names[0], mark(s.names[0]), nil
}

// skip goes on behind what peek gave.
func (s *stream) skip() { s.names = s.names[1:] }
