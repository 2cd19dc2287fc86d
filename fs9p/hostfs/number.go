package hostfs

import (
	"crypto/sha256"
	"encoding/binary"

	"alpinevm/fs9p"
)

// A key identifies a file of the host. The generation tells files apart that
// had one inode number one after the other; it is 0 where the host does not
// tell it.
type key struct{ dev, ino, gen uint64 }

// numbers gives files their numbers, each to one file for ever: what identifies
// the file on the host, hashed to 64 bits, which takes no memory and is the same
// in the next process. Two of a million files have one number in common with a
// probability of 3e-8.
//
// A file without a generation has its number from a counter added: what the
// host calls by a number after it was removed is another file.
type numbers struct {
	dev   uint64            // the folder's own device, which is 0 in a mark: it can change when the host starts anew
	lives map[uint64]uint64 // by mark: what is added for files that had predecessors
	base  uint64            // what is added for the others
	next  uint64
}

// maxLives bounds the files that are known to have had predecessors. When there
// are more all files count as such once more, but for those that are held.
const maxLives = 1 << 16

func newNumbers(dev uint64) numbers {
	return numbers{dev: dev, lives: map[uint64]uint64{}, next: 1}
}

// mark gives what stands for a file in the tables of what is known of it.
func (s *numbers) mark(k key) uint64 {
	if k.dev == s.dev {
		k.dev = 0
	}
	var b [24]byte
	binary.LittleEndian.PutUint64(b[:], k.dev)
	binary.LittleEndian.PutUint64(b[8:], k.ino)
	binary.LittleEndian.PutUint64(b[16:], k.gen)
	sum := sha256.Sum256(b[:])
	return binary.LittleEndian.Uint64(sum[:])
}

// of gives the number of the file with that mark.
func (s *numbers) of(mark uint64) uint64 {
	if life, ok := s.lives[mark]; ok {
		return mark + life
	}
	return mark + s.base
}

// retire sees to it that the next file with that mark gets another number.
func (s *numbers) retire(mark uint64) {
	if len(s.lives) >= maxLives {
		clear(s.lives)
		s.base = s.next
		s.next++
	}
	s.lives[mark] = s.next
	s.next++
}

// number gives the qid.path of a file.
func (fs *FS) number(k key) uint64 {
	if n := fs.live[k]; n != nil {
		return n.id
	}
	return fs.numbers.of(fs.numbers.mark(k))
}

// forget drops what is known of a file that is no more.
func (fs *FS) forget(k key) {
	mark := fs.numbers.mark(k)
	fs.kept.forget(mark)
	if k.gen == 0 {
		fs.numbers.retire(mark)
	}
}

// Inode is part of fs9p.Numbered: it finds what is held.
func (fs *FS) Inode(path uint64) (fs9p.Node, error) {
	for _, n := range fs.live {
		if n.id == path {
			return n.hold(), nil
		}
	}
	return nil, fs9p.ENOENT
}
