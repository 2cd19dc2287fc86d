package mem

import (
	"errors"
	"fmt"
	"iter"
)

// Image is RAM at rest. Memories that are made of one share its pages until they
// write to them, on hosts that map files. It is used by one goroutine at a time,
// but for Thaw, and closed behind the last Thaw: memories do not need it.
type Image struct {
	size  uint32
	pages []bool // which may be other than zero; nil: all
	bank  bank
	load  Loader // in place of the two
}

// Loader calls put with whole pages, from page first on, on any number of goroutines at
// a time.
type Loader func(put func(first uint32, data []byte) error) error

// StreamImage makes an image of which nothing is kept: load gives its pages, straight to
// each memory that is made of it. size is as for New.
func StreamImage(size uint64, load Loader) (*Image, error) {
	if err := checkSize(size); err != nil {
		return nil, err
	}
	return &Image{size: uint32(size), load: load}, nil
}

// bank holds an image's bytes.
type bank interface {
	// WriteAt may be called on several goroutines at a time.
	WriteAt(p []byte, off int64) (int, error)
	ReadAt(p []byte, off int64) (int, error)
	// part is what an arena is made from; nil: the bytes are copied.
	part() *mapping
	close() error
}

// mapping is a part of a file of the host.
type mapping struct {
	fd  int
	off int64
	n   int
}

// NewImage makes an image of zeros. size is as for New.
func NewImage(size uint64) (*Image, error) {
	if err := checkSize(size); err != nil {
		return nil, err
	}
	b, err := newBank(int(size))
	if err != nil {
		return nil, fmt.Errorf("mem: keep %d MiB of guest RAM: %w", size>>20, err)
	}
	return &Image{size: uint32(size), pages: make([]bool, size>>pageShift), bank: b}, nil
}

// MapImage makes an image of a file, of which a copy of the descriptor is kept.
// RAM is in it from off on, a multiple of the page size, and must stay as it is. The
// image takes nothing more. The error is errors.ErrUnsupported where the host
// cannot.
func MapImage(fd uintptr, off int64, size uint64) (*Image, error) {
	if err := checkSize(size); err != nil {
		return nil, err
	}
	b, err := fileBank(fd, off, int(size))
	if err != nil {
		return nil, err
	}
	return &Image{size: uint32(size), bank: b}, nil
}

// may says which pages of the RAM may be other than zero.
func (m *Memory) may() func(page uint32) bool {
	touched := m.pages.touched(m.arena[:m.size])
	if !m.backed {
		return touched
	}
	return func(page uint32) bool { return m.below == nil || m.below[page] || touched(page) }
}

// Still gives an image that is the RAM itself, and good as long as nobody writes to it.
func (m *Memory) Still() *Image {
	i := &Image{size: m.size, pages: make([]bool, m.size>>pageShift), bank: plain(m.arena[:m.size])}
	may := m.may()
	for p := range i.pages {
		i.pages[p] = may(uint32(p))
	}
	return i
}

// Freeze gives an image of the RAM as it is.
func (m *Memory) Freeze() (*Image, error) {
	i, err := NewImage(uint64(m.size))
	if err != nil {
		return nil, err
	}
	for first, data := range runs(m.arena[:m.size], m.may()) {
		if err := i.Put(first, data); err != nil {
			i.Close()
			return nil, err
		}
	}
	return i, nil
}

// Put puts whole pages into the image, from page first on, before Thaw. It may be
// called on several goroutines at a time for pages of their own.
func (i *Image) Put(first uint32, data []byte) error {
	if err := within(i.size, first, data); err != nil {
		return err
	}
	if _, err := i.bank.WriteAt(data, int64(first)<<pageShift); err != nil {
		return fmt.Errorf("mem: keep guest RAM: %w", err)
	}
	for p := first; p < first+uint32(len(data)>>pageShift); p++ {
		i.pages[p] = true
	}
	return nil
}

// Size is that of the RAM in bytes.
func (i *Image) Size() uint32 { return i.size }

// Pages gives what was put, in rising order: the number of the first page, and
// the bytes, which are valid during the call. failed has the error that ended it, if
// any, behind the last one.
func (i *Image) Pages() (pages iter.Seq2[uint32, []byte], failed func() error) {
	var err error
	if i.load != nil {
		err = errStream
	}
	return func(yield func(uint32, []byte) bool) {
		if i.load != nil {
			return
		}
		buffer := make([]byte, maxRun*PageSize)
		for first := uint32(0); first < i.size>>pageShift; {
			n := uint32(0)
			for n < maxRun && first+n < i.size>>pageShift && i.may(first+n) {
				n++
			}
			if n == 0 {
				first++
				continue
			}
			part := buffer[:n<<pageShift]
			if _, err = i.bank.ReadAt(part, int64(first)<<pageShift); err != nil {
				return
			}
			for page, data := range runs(part, anyPage) {
				if !yield(first+page, data) {
					return
				}
			}
			first += n
		}
	}, func() error { return err }
}

// errStream is of pages that have an order.
var errStream = errors.New("mem: an image of which nothing is kept has no pages")

func (i *Image) may(page uint32) bool { return i.pages == nil || i.pages[page] }

// Thaw makes a memory of the image. It may be called on several goroutines at a
// time.
func (i *Image) Thaw() (*Memory, error) {
	if i.load == nil {
		if m := i.bank.part(); m != nil {
			return newFrom(uint64(i.size), m)
		}
	}
	m, err := New(uint64(i.size))
	if err != nil {
		return nil, err
	}
	if err := m.Adopt(i); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// Adopt makes RAM that nobody has used yet what an image of its size holds.
func (m *Memory) Adopt(i *Image) error {
	if i.size != m.size {
		return fmt.Errorf("mem: an image of %d MiB, and RAM of %d MiB", i.size>>20, m.size>>20)
	}
	if i.load != nil {
		return i.load(m.fill)
	}
	if p := i.bank.part(); p != nil {
		m.backed, m.below = true, p.data()
		return overlay(m.arena, p)
	}
	pages, failed := i.Pages()
	for first, data := range pages {
		copy(m.arena[first<<pageShift:], data)
	}
	return failed()
}

// fill puts whole pages into RAM that nobody has used yet.
func (m *Memory) fill(first uint32, data []byte) error {
	if err := within(m.size, first, data); err != nil {
		return err
	}
	copy(m.arena[first<<pageShift:], data)
	return nil
}

// within refuses what is not whole pages of that much RAM.
func within(size, first uint32, data []byte) error {
	if n := len(data); n%PageSize != 0 || uint64(first)<<pageShift+uint64(n) > uint64(size) {
		return fmt.Errorf("mem: %d bytes at page %d: %w", n, first, ErrOutside)
	}
	return nil
}

// Close gives the image back to the host.
func (i *Image) Close() error {
	if i.load != nil {
		return nil
	}
	return i.bank.close()
}

func anyPage(uint32) bool { return true }

// maxRun is how many pages come in one piece.
const maxRun = 256

// runs gives the pages of b that may be other than zero and are.
func runs(b []byte, may func(page uint32) bool) iter.Seq2[uint32, []byte] {
	return func(yield func(uint32, []byte) bool) {
		start, pages := -1, len(b)>>pageShift
		for p := 0; p <= pages; p++ {
			full := p < pages && may(uint32(p)) && !zero(b[p<<pageShift:(p+1)<<pageShift])
			if start >= 0 && (!full || p-start == maxRun) {
				if !yield(uint32(start), b[start<<pageShift:p<<pageShift]) {
					return
				}
				start = -1
			}
			if full && start < 0 {
				start = p
			}
		}
	}
}

var zeros [PageSize]byte

// zero says that a page is.
func zero(page []byte) bool { return string(page) == string(zeros[:]) }
