package kernel

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// ELF constants (System V gABI 4.1; i386 psABI).
const (
	elfHeaderSize  = 52
	elfProgSize    = 32
	elfSectSize    = 40
	elfClass32     = 1
	elfClass64     = 2
	elfLittle      = 1
	elfTypeExec    = 2
	elfMachine386  = 3
	elfLoad        = 1
	elfStack       = 0x6474e551 // PT_GNU_STACK
	elfMaxSegments = 64
	elfMaxSections = 4096
)

// segment is a PT_LOAD program header.
type segment struct {
	vaddr, paddr, memSize uint32
	data                  []byte // the part that is in the file
}

// elfFile is what a loader needs of an i386 executable.
type elfFile struct {
	entry    uint32
	segments []segment
}

// isELF tells whether data starts as an ELF file does.
func isELF(data []byte) bool {
	return bytes.HasPrefix(data, []byte("\x7fELF"))
}

// parseELF reads the program headers of a 32-bit x86 executable.
func parseELF(data []byte) (*elfFile, error) {
	le := binary.LittleEndian
	if len(data) < elfHeaderSize {
		return nil, fmt.Errorf("%w: %d bytes do not hold the ELF header", ErrTruncated, len(data))
	}
	if data[4] == elfClass64 {
		return nil, Err64Bit
	}
	if data[4] != elfClass32 || data[5] != elfLittle || le.Uint16(data[18:]) != elfMachine386 {
		return nil, fmt.Errorf("%w: an ELF file, but not one for 32-bit x86", ErrFormat)
	}
	if t := le.Uint16(data[16:]); t != elfTypeExec {
		return nil, fmt.Errorf("%w: an ELF file of type %d, not an executable", ErrFormat, t)
	}
	phoff, size, n := uint64(le.Uint32(data[28:])), uint64(le.Uint16(data[42:])), uint64(le.Uint16(data[44:]))
	if size < elfProgSize || n == 0 || n > elfMaxSegments {
		return nil, fmt.Errorf("%w: an ELF file with %d program headers of %d bytes", ErrFormat, n, size)
	}
	if phoff+n*size > uint64(len(data)) {
		return nil, fmt.Errorf("%w: the ELF program headers end at byte %d of %d", ErrTruncated, phoff+n*size, len(data))
	}
	f := &elfFile{entry: le.Uint32(data[24:])}
	for i := range n {
		h := data[phoff+i*size:]
		if le.Uint32(h) != elfLoad {
			continue
		}
		off, fileSize := uint64(le.Uint32(h[4:])), uint64(le.Uint32(h[16:]))
		s := segment{vaddr: le.Uint32(h[8:]), paddr: le.Uint32(h[12:]), memSize: le.Uint32(h[20:])}
		if off+fileSize > uint64(len(data)) {
			return nil, fmt.Errorf("%w: an ELF segment ends at byte %d of %d", ErrTruncated, off+fileSize, len(data))
		}
		if fileSize > uint64(s.memSize) || uint64(s.paddr)+uint64(s.memSize) > 1<<32 {
			return nil, fmt.Errorf("%w: ELF segment %d does not fit below 4 GiB", ErrFormat, i)
		}
		s.data = data[off : off+fileSize]
		f.segments = append(f.segments, s)
	}
	if len(f.segments) == 0 {
		return nil, fmt.Errorf("%w: an ELF file with nothing to load", ErrFormat)
	}
	return f, nil
}

// physicalEntry is the entry point as a physical address. Linux states a physical one, other kernels a virtual one.
func (f *elfFile) physicalEntry() (uint32, bool) {
	for _, s := range f.segments {
		if f.entry >= s.paddr && f.entry-s.paddr < s.memSize {
			return f.entry, true
		}
	}
	for _, s := range f.segments {
		if f.entry >= s.vaddr && f.entry-s.vaddr < s.memSize {
			return f.entry - s.vaddr + s.paddr, true
		}
	}
	return 0, false
}

// load places the segments at their physical addresses and clears what the file does not hold.
func (f *elfFile) load(m *writer) error {
	for _, s := range f.segments {
		if err := m.write("the kernel", uint64(s.paddr), s.data); err != nil {
			return err
		}
		if err := m.zero("the kernel", uint64(s.paddr)+uint64(len(s.data)), uint64(s.memSize)-uint64(len(s.data))); err != nil {
			return err
		}
	}
	return nil
}

// end is the first physical address after the last segment.
func (f *elfFile) end() uint64 {
	var end uint64
	for _, s := range f.segments {
		end = max(end, uint64(s.paddr)+uint64(s.memSize))
	}
	return end
}

func parseVmlinux(data []byte) (*Image, error) {
	f, err := parseELF(data)
	if err != nil {
		return nil, err
	}
	if _, ok := f.physicalEntry(); !ok {
		return nil, fmt.Errorf("%w: the ELF entry point %#x lies in no segment", ErrFormat, f.entry)
	}
	im := &Image{Kind: Vmlinux, data: data, elf: f}
	// linux_banner: "Linux version 6.1.0-50-686-pae (builder) ...\n"
	const banner = "Linux version "
	if i := bytes.Index(data, []byte(banner)); i >= 0 {
		line := data[i+len(banner) : min(len(data), i+len(banner)+256)]
		text, _, _ := strings.Cut(strings.TrimRight(string(line), "\x00"), "\n")
		im.Version = text
		im.Release, _, _ = strings.Cut(text, " ")
	}
	return im, nil
}

// elfSection returns the bytes of the named section of a 32-bit or 64-bit little-endian ELF file of size bytes, reading no more than
// the headers and that section. ok is false where there is none.
func elfSection(r io.ReaderAt, size int64, name string, limit int64) (data []byte, ok bool, err error) {
	le := binary.LittleEndian
	var h [elfHeaderSize]byte
	if _, err := r.ReadAt(h[:], 0); err != nil {
		return nil, false, fmt.Errorf("read ELF header: %w", err)
	}
	if !isELF(h[:]) || h[4] != elfClass32 || h[5] != elfLittle {
		return nil, false, fmt.Errorf("%w: not a 32-bit ELF file", ErrFormat)
	}
	shoff, shsize, n, strndx := int64(le.Uint32(h[32:])), int64(le.Uint16(h[46:])), int64(le.Uint16(h[48:])), int64(le.Uint16(h[50:]))
	if shsize < elfSectSize || n > elfMaxSections || strndx >= n || shoff+n*shsize > size {
		return nil, false, fmt.Errorf("%w: bad ELF section headers", ErrFormat)
	}
	table := make([]byte, n*shsize)
	if _, err := r.ReadAt(table, shoff); err != nil {
		return nil, false, fmt.Errorf("read ELF section headers: %w", err)
	}
	read := func(i int64) ([]byte, error) {
		s := table[i*shsize:]
		off, n := int64(le.Uint32(s[16:])), int64(le.Uint32(s[20:]))
		if n > limit || off+n > size {
			return nil, fmt.Errorf("%w: ELF section %d is too large", ErrFormat, i)
		}
		p := make([]byte, n)
		_, err := r.ReadAt(p, off)
		return p, err
	}
	names, err := read(strndx)
	if err != nil {
		return nil, false, err
	}
	for i := range n {
		off := int64(le.Uint32(table[i*shsize:]))
		if off < int64(len(names)) && bytes.HasPrefix(names[off:], append([]byte(name), 0)) {
			data, err := read(i)
			return data, err == nil, err
		}
	}
	return nil, false, nil
}
