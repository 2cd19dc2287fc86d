package oci

import (
	"archive/tar"
	"bytes"
	"math"
	"strconv"
	"strings"
)

// What archive/tar reads but does not tell is read here a second time: the map
// of a sparse file (GNU tar manual, "Storing Sparse Files"), and the name in a
// PAX header that it refuses. Both happen only after it has read, or refused,
// the same bytes.

const blockLen = 512

// Places in a header block (ustar, and GNU for sparse files).
const (
	sizeAt, sizeLen       = 124, 12
	typeAt                = 156
	gnuSparseAt           = 386
	gnuSparseCount        = 4
	gnuExtendedAt         = 482
	sparseExtCount        = 21
	sparseExtendedAt      = 504
	sparseLen             = 12 // of an offset or a length
	maxSpecial            = 1 << 20
	paxMap                = "GNU.sparse.map"
	paxMajor              = "GNU.sparse.major"
	paxMinor              = "GNU.sparse.minor"
	paxSize               = "size"
	paxPath               = "path"
	paxLinkPath           = "linkpath"
	typeLongName     byte = 'L'
	typeLongLink     byte = 'K'
)

// block reads the block at off.
func (s *scanner) block(off int64) ([]byte, bool) {
	b := make([]byte, blockLen)
	n, _ := s.layer.Data.ReadAt(b, off)
	return b, n == blockLen
}

// mainHeader finds the header block behind those of type x, g, L and K.
func (s *scanner) mainHeader(off int64) (block []byte, at int64, ok bool) {
	for {
		b, ok := s.block(off)
		if !ok {
			return nil, 0, false
		}
		switch b[typeAt] {
		case tar.TypeXHeader, tar.TypeXGlobalHeader, typeLongName, typeLongLink:
		default:
			return b, off, true
		}
		size := number(b[sizeAt : sizeAt+sizeLen])
		if size < 0 || size > maxSpecial {
			return nil, 0, false
		}
		off += blockLen + roundUp(size)
	}
}

// number reads a numeric field: octal digits, or base 256 where the first bit
// is set; -1 is an error.
func number(b []byte) int64 {
	if b[0]&0x80 != 0 {
		n := int64(b[0] & 0x3f)
		for _, c := range b[1:] {
			if n > math.MaxInt64>>8 {
				return -1
			}
			n = n<<8 | int64(c)
		}
		if b[0]&0x40 != 0 {
			return -1 // negative
		}
		return n
	}
	s := strings.Trim(string(b), " \x00")
	if s == "" {
		return 0
	}
	if s, _, _ = strings.Cut(s, "\x00"); s == "" {
		return 0
	}
	n, err := strconv.ParseInt(s, 8, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// sparse finds the extents of a file, if it is a sparse one, and tells how
// many bytes of the archive its content takes.
func (s *scanner) sparse(h *tar.Header, head int64, c *content) (int64, error) {
	major, minor := h.PAXRecords[paxMajor], h.PAXRecords[paxMinor]
	gnu := h.Typeflag == tar.TypeGNUSparse
	one := major == "1" && minor == "0"
	zero := major == "0" && (minor == "0" || minor == "1") || major == "" && minor == "" && h.PAXRecords[paxMap] != ""
	if !gnu && !one && !zero {
		return c.stored, nil
	}
	block, at, ok := s.mainHeader(head)
	if !ok {
		return 0, errSparse
	}
	taken := number(block[sizeAt : sizeAt+sizeLen])
	if v := h.PAXRecords[paxSize]; v != "" {
		var err error
		if taken, err = strconv.ParseInt(v, 10, 64); err != nil {
			return 0, errSparse
		}
	}
	var list []int64
	switch {
	case gnu:
		list, ok = s.oldMap(block, at)
	case one:
		list, ok = s.textMap(at+blockLen, c.off)
		taken -= c.off - at - blockLen
	default:
		list, ok = numbers(strings.Split(h.PAXRecords[paxMap], ","))
	}
	if !ok || taken < 0 {
		return 0, errSparse
	}
	if err := c.sparse(list, taken); err != nil {
		return 0, err
	}
	return taken, nil
}

// sparse sets the extents from a list of offsets and lengths. What of an extent
// is behind the file's end is not there; archive/tar has checked the order.
func (c *content) sparse(list []int64, taken int64) error {
	physical := c.off
	c.stored = 0
	for ; len(list) >= 2; list = list[2:] {
		off, n := list[0], list[1]
		if off < 0 || n < 0 || off > c.size-n || physical > math.MaxInt64-n {
			return errSparse
		}
		if n > 0 {
			c.extents = append(c.extents, extent{uint64(off), uint64(n), uint64(physical)})
		}
		physical += n
		c.stored += n
	}
	if c.stored != taken {
		return errSparse
	}
	return nil
}

// oldMap reads the map of GNU tar's own format: four entries in the header, the
// others in blocks behind it.
func (s *scanner) oldMap(block []byte, at int64) ([]int64, bool) {
	var list []int64
	entries, extended := block[gnuSparseAt:][:gnuSparseCount*2*sparseLen], block[gnuExtendedAt]
	for {
		for ; len(entries) > 0 && entries[0] != 0; entries = entries[2*sparseLen:] {
			list = append(list, number(entries[:sparseLen]), number(entries[sparseLen:2*sparseLen]))
		}
		if extended == 0 {
			return list, true
		}
		at += blockLen
		block, ok := s.block(at)
		if !ok || len(list) > maxSpecial {
			return nil, false
		}
		entries, extended = block[:sparseExtCount*2*sparseLen], block[sparseExtendedAt]
	}
}

// textMap reads the map of the PAX format 1.0: numbers, one a line, of which
// the first counts the pairs behind it.
func (s *scanner) textMap(from, to int64) ([]int64, bool) {
	if to < from || to-from > maxSpecial {
		return nil, false
	}
	b := make([]byte, to-from)
	if n, _ := s.layer.Data.ReadAt(b, from); n < len(b) {
		return nil, false
	}
	lines := strings.Split(string(b), "\n")
	count, err := strconv.ParseInt(lines[0], 10, 32)
	if err != nil || count < 0 || int(2*count) > len(lines)-1 {
		return nil, false
	}
	return numbers(lines[1 : 1+2*count])
}

func numbers(text []string) ([]int64, bool) {
	if len(text) == 1 && text[0] == "" {
		return nil, true
	}
	list := make([]int64, len(text))
	for i, t := range text {
		n, err := strconv.ParseInt(t, 10, 64)
		if err != nil {
			return nil, false
		}
		list[i] = n
	}
	return list, len(list)%2 == 0
}

// pathWithNUL finds the name with a NUL in the PAX header at s.next.
func (s *scanner) pathWithNUL() (string, bool) {
	b, ok := s.block(s.next)
	if !ok || b[typeAt] != tar.TypeXHeader {
		return "", false
	}
	size := number(b[sizeAt : sizeAt+sizeLen])
	if size < 0 || size > maxSpecial {
		return "", false
	}
	records := make([]byte, size)
	n, _ := s.layer.Data.ReadAt(records, s.next+blockLen)
	for records = records[:n]; ; {
		digits, rest, ok := bytes.Cut(records, []byte{' '})
		length, err := strconv.Atoi(string(digits))
		if length -= len(digits) + 1; !ok || err != nil || length < 1 || length > len(rest) {
			return "", false
		}
		key, value, _ := strings.Cut(string(rest[:length-1]), "=")
		if (key == paxPath || key == paxLinkPath) && strings.Contains(value, "\x00") {
			return value, true
		}
		records = rest[length:]
	}
}
