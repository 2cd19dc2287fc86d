package hostfs

import "alpinevm/fs9p"

// A key identifies a file of the host. The generation tells files apart that
// had one inode number one after the other; it is 0 where the host does not
// tell it.
type key struct{ dev, ino, gen uint64 }

// numbers gives files their numbers, each to one file for ever: what identifies
// the file on the host, mixed to 62 bits (a back end on top of this one needs
// some), which takes no memory and is the same in the next process. Of a million
// files two have a number in common with a probability of 1e-7.
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
	return mix(mix(mix(k.dev)^k.ino) ^ k.gen)
}

// mix is a permutation of 64 bits after which they depend on each other (the
// finalizer of SplitMix64; Steele, Lea, Flood: Fast splittable pseudorandom
// number generators, 2014).
func mix(x uint64) uint64 {
	x += 0x9E3779B97F4A7C15
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return x ^ x>>31
}

// of gives the number of the file with that mark.
func (s *numbers) of(mark uint64) uint64 {
	life, ok := s.lives[mark]
	if !ok {
		life = s.base
	}
	return (mark + life) & (1<<62 - 1)
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
	if n := fs.live.At(k); n != nil {
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

// Inode is part of fs9p.Numbered: it finds what is held, and what a State names.
func (fs *FS) Inode(path uint64) (fs9p.Node, error) {
	if _, ok := fs.restored[path]; ok {
		n, err := fs.find(path, maxDepth+1)
		if err != nil {
			return nil, err
		}
		return n, nil
	}
	if n := fs.gone.At(path); n != nil {
		return n.hold(), nil
	}
	for _, n := range fs.live.All() {
		if n.id == path {
			return n.hold(), nil
		}
	}
	return nil, fs9p.ENOENT
}
