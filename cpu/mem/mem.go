// Package mem is guest-physical memory: RAM from address 0, ROM ranges, MMIO
// ranges, and the marks that tell which 64-byte lines of RAM hold decoded
// code. It is the only writer of RAM.
//
// RAM and ROM lie in one arena. An offset into the arena is 32 bits; for RAM
// it equals the guest-physical address. Everything that has no RAM, ROM or
// device reads as all ones and ignores writes, as on a PCI bus where no target
// answers.
package mem

import (
	"errors"
	"fmt"
	"unsafe"
)

// Sizes in bytes.
const (
	PageSize  = 4096
	LineSize  = 64 // granularity of code marks
	MaxRAM    = 3 << 30
	romSpace  = 4 << 20 // arena bytes kept for ROM images, behind RAM
	pageShift = 12
)

// Device is a memory-mapped device. off is relative to the base at which it
// is mapped; size is 1, 2 or 4 bytes. 8-byte accesses arrive split, low half
// first. Called on the machine goroutine.
type Device interface {
	Read(off uint32, size int) uint32
	Write(off uint32, size int, v uint32)
}

// Watcher learns what changes under a CPU's feet. Called on the machine
// goroutine, before the bytes change.
type Watcher interface {
	// CodeWritten says that RAM in [off, off+n) is about to be written and
	// at least one line of it is marked as code. The range lies in one page.
	CodeWritten(off, n uint32)
	// Remapped says that a range was mapped or unmapped: cached
	// translations are void.
	Remapped()
}

// Kind tells what lies at a guest-physical page.
type Kind uint8

// Kinds of pages.
const (
	RAM Kind = iota
	ROM
	MMIO // a device, or nothing
)

type romRange struct {
	base, n uint64
	off     uint32
}

type deviceRange struct {
	base, n uint64
	dev     Device
}

// Memory is the guest-physical address space of one machine. It belongs to the
// machine goroutine. Its methods stay inside RAM and tell the watchers of code
// that is written; only a watcher gets the Arena, which does neither.
type Memory struct {
	arena   []byte
	size    uint32 // bytes of RAM
	romUsed uint32
	code    []uint64 // a mask of lines a page of RAM
	roms    []romRange
	devices []deviceRange
	watch   []Watcher
	free    func()
	pages   pages
	backed  bool   // by a file
	below   []bool // pages of that which may be other than zero; nil: all
}

// New makes a memory with size bytes of RAM at address 0. size must be a
// multiple of 1 MiB, at least 1 MiB and at most MaxRAM. The host commits a page
// only when the guest first touches it, where the host can do that.
func New(size uint64) (*Memory, error) { return newFrom(size, nil) }

func checkSize(size uint64) error {
	if size == 0 || size > MaxRAM || size%(1<<20) != 0 {
		return fmt.Errorf("mem: RAM of %d bytes: want a multiple of 1 MiB from 1 MiB to %d MiB", size, MaxRAM>>20)
	}
	return nil
}

// newFrom makes a memory whose RAM is from a file, or zero.
func newFrom(size uint64, from *mapping) (*Memory, error) {
	if err := checkSize(size); err != nil {
		return nil, err
	}
	// The slack behind the last range lets a 64-bit host access start at
	// the last byte.
	arena, free, err := allocate(int(size)+romSpace+PageSize, from)
	if err != nil {
		return nil, fmt.Errorf("mem: allocate %d MiB of guest RAM: %w", size>>20, err)
	}
	m := &Memory{arena: arena, size: uint32(size), free: free, pages: openPages()}
	if from != nil {
		m.backed, m.below = true, from.data()
	}
	m.code = make([]uint64, size>>pageShift)
	return m, nil
}

// Close gives the memory back to the host. Nothing may touch it afterwards.
func (m *Memory) Close() error {
	if m.free != nil {
		m.free()
		m.pages.close()
		m.free, m.arena = nil, nil
	}
	return nil
}

// Size is the amount of RAM in bytes.
func (m *Memory) Size() uint32 { return m.size }

// Pages is how many pages offsets of RAM and ROM lie in.
func (m *Memory) Pages() int { return len(m.arena) >> pageShift }

// Attach adds a watcher, a processor, and gives it the arena.
func (m *Memory) Attach(w Watcher) Arena {
	m.watch = append(m.watch, w)
	return newArena(m.arena)
}

// Lookup tells what lies at guest-physical address pa and, for RAM and ROM,
// its offset in the arena. A page is of one kind throughout.
func (m *Memory) Lookup(pa uint64) (off uint32, k Kind) {
	if pa < uint64(m.size) {
		if len(m.devices) != 0 && m.device(pa) != nil {
			return 0, MMIO
		}
		return uint32(pa), RAM
	}
	for i := range m.roms {
		if r := &m.roms[i]; pa-r.base < r.n {
			return r.off + uint32(pa-r.base), ROM
		}
	}
	return 0, MMIO
}

func (m *Memory) device(pa uint64) *deviceRange {
	for i := range m.devices {
		if d := &m.devices[i]; pa-d.base < d.n {
			return d
		}
	}
	return nil
}

// ReadMMIO reads size bytes (1, 2 or 4) from the device at pa, all ones where
// there is none. The access does not cross the end of a page.
func (m *Memory) ReadMMIO(pa uint64, size int) uint32 {
	if d := m.device(pa); d != nil {
		return d.dev.Read(uint32(pa-d.base), size)
	}
	return uint32(1<<(8*size) - 1)
}

// WriteMMIO writes size bytes (1, 2 or 4) to the device at pa.
func (m *Memory) WriteMMIO(pa uint64, size int, v uint32) {
	if d := m.device(pa); d != nil {
		d.dev.Write(uint32(pa-d.base), size, v)
	}
}

// Map makes d answer for [base, base+n), which is made of whole pages. A range
// may hide RAM (the VGA window does) but not another device or ROM.
func (m *Memory) Map(base, n uint64, d Device) error {
	if n == 0 || base%PageSize != 0 || n%PageSize != 0 || base+n < base || base+n > 1<<32 {
		return fmt.Errorf("mem: cannot map a device at [%#x, %#x+%#x): want whole pages below 4 GiB", base, base, n)
	}
	for _, r := range m.devices {
		if base < r.base+r.n && r.base < base+n {
			return fmt.Errorf("mem: device at [%#x, %#x) overlaps the one at [%#x, %#x)", base, base+n, r.base, r.base+r.n)
		}
	}
	for _, r := range m.roms {
		if base < r.base+r.n && r.base < base+n {
			return fmt.Errorf("mem: device at [%#x, %#x) overlaps ROM at [%#x, %#x)", base, base+n, r.base, r.base+r.n)
		}
	}
	m.devices = append(m.devices, deviceRange{base, n, d})
	m.remapped()
	return nil
}

// Unmap removes the device that was mapped at base; without one it does
// nothing.
func (m *Memory) Unmap(base uint64) {
	for i, r := range m.devices {
		if r.base == base {
			m.devices = append(m.devices[:i], m.devices[i+1:]...)
			m.remapped()
			return
		}
	}
}

// AddROM maps a copy of image, read-only, at base (a multiple of the page
// size, outside RAM). Its length is a multiple of the page size.
func (m *Memory) AddROM(base uint64, image []byte) error {
	n := uint64(len(image))
	switch {
	case base%PageSize != 0 || n%PageSize != 0 || n == 0 || base+n > 1<<32:
		return fmt.Errorf("mem: ROM of %d bytes at %#x is not made of whole pages below 4 GiB", n, base)
	case base < uint64(m.size):
		return fmt.Errorf("mem: ROM at %#x lies inside RAM", base)
	case uint64(m.romUsed)+n > romSpace:
		return errors.New("mem: ROM images exceed 4 MiB")
	}
	off := m.size + m.romUsed
	copy(m.arena[off:], image)
	m.romUsed += uint32(n)
	m.roms = append(m.roms, romRange{base, n, off})
	m.remapped()
	return nil
}

func (m *Memory) remapped() {
	for _, w := range m.watch {
		w.Remapped()
	}
}

// Code is the mask of lines of the RAM page at off that hold decoded code.
func (m *Memory) Code(off uint32) uint64 {
	if p := off >> pageShift; int(p) < len(m.code) {
		return m.code[p]
	}
	return 0
}

// SetCode replaces the mask of the page at off.
func (m *Memory) SetCode(off uint32, lines uint64) {
	if p := off >> pageShift; int(p) < len(m.code) {
		m.code[p] = lines
	}
}

// Lines is the mask of lines that n bytes at off touch; they lie in one page
// and n is not 0.
func Lines(off, n uint32) uint64 {
	first := off % PageSize / LineSize
	last := (off%PageSize + n - 1) / LineSize
	return ^uint64(0) << first & (^uint64(0) >> (63 - min(last, 63)))
}

// Store stores b at off in RAM. It is how a processor stores where the Arena will
// not do, as the page holds code.
func (m *Memory) Store(off uint32, b []byte) {
	m.willWrite(off, uint32(len(b)))
	copy(m.arena[off:m.size], b)
}

// willWrite tells the watchers that n bytes at off are about to change, if any
// of them is code.
func (m *Memory) willWrite(off, n uint32) {
	for n > 0 {
		k := min(n, PageSize-off%PageSize)
		if m.Code(off)&Lines(off, k) != 0 {
			for _, w := range m.watch {
				w.CodeWritten(off, k)
			}
		}
		off += k
		n -= k
	}
}

// View gives n bytes of RAM at guest-physical gpa, valid during the call only.
// With write set the bytes may be changed, and code in them is invalidated
// first. It says false where any byte is not RAM. This is how devices do DMA.
func (m *Memory) View(gpa uint64, n int, write bool) ([]byte, bool) {
	if n < 0 || gpa > uint64(m.size) || uint64(n) > uint64(m.size)-gpa {
		return nil, false
	}
	if write {
		m.willWrite(uint32(gpa), uint32(n))
	}
	return m.arena[gpa : gpa+uint64(n) : gpa+uint64(n)], true
}

// ErrOutside says that an access lies outside RAM.
var ErrOutside = errors.New("outside guest RAM")

// WriteAt copies p to guest-physical off, for loaders.
func (m *Memory) WriteAt(p []byte, off int64) (int, error) {
	b, ok := m.View(uint64(off), len(p), true)
	if !ok {
		return 0, fmt.Errorf("mem: write %d bytes at %#x: %w", len(p), off, ErrOutside)
	}
	return copy(b, p), nil
}

// ReadAt copies from guest-physical off.
func (m *Memory) ReadAt(p []byte, off int64) (int, error) {
	b, ok := m.View(uint64(off), len(p), false)
	if !ok {
		return 0, fmt.Errorf("mem: read %d bytes at %#x: %w", len(p), off, ErrOutside)
	}
	return copy(p, b), nil
}

// Rising says whether copying src to dst byte by byte in rising order gives what
// the built-in copy gives: they do not overlap, or dst starts first.
func Rising(dst, src []byte) bool {
	if len(dst) == 0 || len(src) == 0 {
		return true
	}
	// SAFETY: the addresses are only compared, never followed.
	d, s := uintptr(unsafe.Pointer(&dst[0])), uintptr(unsafe.Pointer(&src[0]))
	return d <= s || d >= s+uintptr(len(src))
}
