package hostfs

import (
	"container/list"
	"errors"
	"os"
	"slices"
	"strings"

	"alpinevm/fs9p"
)

// listings are the directories that are being listed: those that were listed
// last have a stream, and know their places.
type listings struct {
	recent list.List // of *listing, the one used last in front
	marks  int       // in all of them
}

// A listing is an open directory. A cookie is the place of an entry in the
// order of the host's listing. Going on needs what is behind the last entry
// only, and going back to a cookie the mark of its place. Without that, in a
// directory that has been opened anew or whose marks were dropped to save memory,
// the place is looked for from the beginning on.
type listing struct {
	n      *inode
	at     uint64  // entries before the place
	here   mark    // where the host's listing goes on
	stream *stream // at the place; nil when it was closed to save descriptors
	first  uint64  // entries before marks[0]
	marks  []mark  // of the places from there to this one
	place  *list.Element
}

// maxEntries bounds the entries in an answer, each of which the host is asked for.
const maxEntries = 512

// ReadAt is part of fs9p.File.
func (*listing) ReadAt([]byte, uint64) (int, error) { return 0, fs9p.EISDIR }

// WriteAt is part of fs9p.File.
func (*listing) WriteAt([]byte, uint64) (int, error) { return 0, fs9p.EISDIR }

// Sync is part of fs9p.File.
func (l *listing) Sync(bool) error {
	f, err := l.n.dir()
	if err != nil {
		return err
	}
	return f.sync()
}

// Close is part of fs9p.File.
func (l *listing) Close() error {
	l.n.fs.listings.drop(l)
	return nil
}

// ReadDir is part of fs9p.File.
func (l *listing) ReadDir(cookie uint64, emit func(fs9p.Dirent) bool) error {
	if l.n.gone != nil {
		return nil
	}
	f, err := l.n.dir()
	if err != nil {
		return err
	}
	if err := l.seek(f, max(cookie, fs9p.DirStart)-fs9p.DirStart); err != nil {
		return err
	}
	for n := 0; n < maxEntries; {
		name, next, err := l.stream.peek()
		if err != nil {
			return toErrno(err)
		}
		if name == "" {
			return nil
		}
		if !tellable(name) {
			l.stream.skip()
			continue
		}
		e, err := l.n.entry(f, name)
		switch {
		case err != nil && fs9p.ErrnoOf(err) != fs9p.ENOENT:
			return err
		case err == nil:
			e.Cookie = l.at + 1 + fs9p.DirStart
			if !emit(e) {
				return nil
			}
			n++
			l.advance(next)
		}
		l.stream.skip()
	}
	return nil
}

// entry tells of one name in the directory n.
func (n *inode) entry(f *folder, name string) (fs9p.Dirent, error) {
	fi, err := f.root.Lstat(name)
	if errors.Is(err, os.ErrNotExist) {
		return fs9p.Dirent{}, fs9p.ENOENT
	}
	if err != nil {
		return fs9p.Dirent{}, toErrno(err)
	}
	k, err := f.identify(name, fi)
	if err != nil {
		return fs9p.Dirent{}, toErrno(err)
	}
	mode := modeOf(fi)
	e := fs9p.Dirent{QID: fs9p.QID{Type: fs9p.QIDType(mode), Version: 1, Path: n.fs.number(k)}, Name: name}
	if special := n.fs.kept.extra(n.fs.numbers.mark(k)).special; special != 0 {
		mode = special
	}
	e.Type = fs9p.DirentType(mode)
	return e, nil
}

// tellable tells whether 9P has room for a name.
func tellable(name string) bool {
	return name != "." && name != ".." && len(name) <= fs9p.MaxName && strings.IndexByte(name, '/') < 0
}

// advance goes on behind an entry.
func (l *listing) advance(to mark) {
	l.at, l.here = l.at+1, to
	l.marks = append(l.marks, to)
	l.n.fs.listings.marks++
	l.n.fs.listings.shrink(l)
}

// seek goes to the place with so many entries before it.
func (l *listing) seek(f *folder, at uint64) error {
	s := &l.n.fs.listings
	switch {
	case at == 0:
		s.drop(l)
		l.at, l.here, l.first = 0, start, 0
	case at == l.at:
	case l.first <= at && at-l.first < uint64(len(l.marks)):
		l.at, l.here = at, l.marks[at-l.first]
		kept := int(at-l.first) + 1
		s.marks -= len(l.marks) - kept
		l.marks = slices.Clone(l.marks[:kept])
		l.closeStream()
	default:
		if err := l.seek(f, 0); err != nil {
			return err
		}
		return l.pass(at)
	}
	if len(l.marks) == 0 {
		l.first, l.marks = l.at, append(l.marks, l.here)
		s.marks++
	}
	if l.stream == nil {
		var err error
		if l.stream, err = openStream(f, l.here); err != nil {
			return toErrno(err)
		}
	}
	s.use(l)
	return nil
}

// maxPassed is how far a place is looked for: it is not the guest's to make a
// message take long.
const maxPassed = 1 << 16

// pass goes on from the beginning to the place with so many entries before it, or
// to the end.
func (l *listing) pass(at uint64) error {
	if at > maxPassed {
		return fs9p.EINVAL
	}
	for l.at < at {
		name, next, err := l.stream.peek()
		if err != nil {
			return toErrno(err)
		}
		if name == "" {
			return nil
		}
		if tellable(name) {
			l.advance(next)
		}
		l.stream.skip()
	}
	return nil
}

func (l *listing) closeStream() {
	if l.stream != nil {
		l.stream.close()
		l.stream = nil
	}
}

// use notes that l is in use, and makes room for it.
func (s *listings) use(l *listing) {
	if l.place != nil {
		s.recent.MoveToFront(l.place)
	} else {
		l.place = s.recent.PushFront(l)
	}
	if s.recent.Len() > maxListings {
		s.drop(s.recent.Back().Value.(*listing))
	}
	s.shrink(l)
}

// shrink drops marks until there are no more than there may be.
func (s *listings) shrink(user *listing) {
	for s.marks > maxMarks {
		last := s.recent.Back().Value.(*listing)
		if last != user {
			s.drop(last)
			continue
		}
		s.marks -= len(user.marks) - 1
		user.first, user.marks = user.at, []mark{user.here}
	}
}

// drop takes from l all but what it needs to go on.
func (s *listings) drop(l *listing) {
	l.closeStream()
	s.marks -= len(l.marks)
	l.marks = nil
	if l.place != nil {
		s.recent.Remove(l.place)
		l.place = nil
	}
}
