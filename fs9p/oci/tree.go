package oci

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"alpinevm/fs9p"
)

// A tree is an open tree file.
type tree struct {
	header
	pages                pages
	direntsAt, stringsAt uint64
}

// open checks all of a tree file.
func (t *tree) open(r io.ReaderAt, size int64) error {
	if size < headerSize+sumSize {
		return fmt.Errorf("%w: %d bytes", ErrTree, size)
	}
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	if _, err := io.CopyBuffer(sum, io.NewSectionReader(r, 0, size-sumSize), make([]byte, 128<<10)); err != nil {
		return fmt.Errorf("read an image's tree: %w", err)
	}
	var b [headerSize]byte
	if _, err := r.ReadAt(b[:], 0); err != nil {
		return fmt.Errorf("read an image's tree: %w", err)
	}
	var want [sumSize]byte
	if _, err := r.ReadAt(want[:], size-sumSize); err != nil && err != io.EOF {
		return fmt.Errorf("read an image's tree: %w", err)
	}
	if string(b[:len(magic)]) != magic {
		return fmt.Errorf("%w: no magic of this version", ErrTree)
	}
	if binary.LittleEndian.Uint32(want[:]) != sum.Sum32() {
		return fmt.Errorf("%w: bad checksum", ErrTree)
	}
	t.header.code(coder{b: b[len(magic):]})
	const most = 1 << 40 // keeps the products below from overflowing
	t.direntsAt = headerSize + uint64(t.inodes)*recordSize
	t.stringsAt = t.direntsAt + min(t.dirents, most)*direntSize
	if t.dirents > most || t.strings > most || t.inodes == 0 || t.stringsAt+t.strings+sumSize != uint64(size) {
		return fmt.Errorf("%w: its parts do not add up to %d bytes", ErrTree, size)
	}
	t.pages = pages{r: r, size: uint64(size)}
	return nil
}

// record reads what the tree says about an inode.
func (t *tree) record(id uint32) (record, error) {
	var n record
	if id == 0 || id > t.inodes {
		return n, fs9p.EIO
	}
	b, err := t.pages.bytes(headerSize+uint64(id-1)*recordSize, recordSize)
	if err == nil {
		n.code(coder{b: b})
	}
	return n, err
}

// dirent reads the i-th of all dirents, and its name, which is valid until the
// next use of the tree.
func (t *tree) dirent(i uint64) (d dirent, name []byte, err error) {
	if i >= t.dirents {
		return d, nil, fs9p.EIO
	}
	b, err := t.pages.bytes(t.direntsAt+i*direntSize, direntSize)
	if err != nil {
		return d, nil, err
	}
	d.code(coder{b: b})
	off, n := d.at()
	name, err = t.string(off, uint64(n))
	return d, name, err
}

// string reads a part of the strings, valid until the next use of the tree.
func (t *tree) string(off, n uint64) ([]byte, error) {
	if off > t.strings || n > t.strings-off {
		return nil, fs9p.EIO
	}
	return t.pages.bytes(t.stringsAt+off, n)
}

// extent reads the i-th of the extents at off.
func (t *tree) extent(off uint64, i int) (extent, error) {
	var x extent
	b, err := t.string(off+uint64(i)*extentSize, extentSize)
	if err == nil {
		x.code(coder{b: b})
	}
	return x, err
}

// pages reads a file through a cache of fixed size.
type pages struct {
	r      io.ReaderAt
	size   uint64
	cached [pageCount]page
	long   []byte // for what lies in more than one page
}

const (
	pageSize  = 4096
	pageCount = 512
)

type page struct {
	number uint64 // and one; 0 where there is none
	data   []byte
}

// page gives the page of that number.
func (p *pages) page(number uint64) ([]byte, error) {
	c := &p.cached[number%pageCount]
	if c.number == number+1 {
		return c.data, nil
	}
	if c.data == nil {
		c.data = make([]byte, pageSize)
	}
	c.number = 0
	c.data = c.data[:min(pageSize, p.size-number*pageSize)]
	if n, _ := p.r.ReadAt(c.data, int64(number*pageSize)); n < len(c.data) {
		return nil, fs9p.EIO
	}
	c.number = number + 1
	return c.data, nil
}

// bytes gives n bytes at off, which must be in the file. They are valid until
// the next call.
func (p *pages) bytes(off, n uint64) ([]byte, error) {
	in := off % pageSize
	if in+n <= pageSize {
		data, err := p.page(off / pageSize)
		if err != nil || in+n > uint64(len(data)) {
			return nil, fs9p.EIO
		}
		return data[in : in+n], nil
	}
	if uint64(cap(p.long)) < n {
		p.long = make([]byte, n)
	}
	to := p.long[:n]
	for done := uint64(0); done < n; {
		at := off + done
		data, err := p.page(at / pageSize)
		if err != nil || at%pageSize >= uint64(len(data)) {
			return nil, fs9p.EIO
		}
		done += uint64(copy(to[done:], data[at%pageSize:]))
	}
	return to, nil
}
