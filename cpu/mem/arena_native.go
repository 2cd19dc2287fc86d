//go:build amd64 || 386 || arm64 || wasm || ppc64le || riscv64 || loong64

package mem

import "unsafe"

// Arena gives unchecked access to RAM and ROM by arena offset. Whoever calls
// it has a translation whose page lies in the arena; values are little-endian
// and need no alignment. Stores do not look at code marks: Memory.Store is for
// pages that have any.
type Arena struct{ base unsafe.Pointer }

func newArena(b []byte) Arena { return Arena{unsafe.Pointer(unsafe.SliceData(b))} }

// SAFETY: every offset comes from Lookup plus an offset inside that page, and
// the arena ends with a page of slack, so off+8 never leaves it. These hosts
// are little-endian and allow unaligned access. Memory keeps the arena alive.

// Load8 loads a byte.
func (a Arena) Load8(off uint32) uint8 { return *(*uint8)(unsafe.Add(a.base, uintptr(off))) }

// Load16 loads 2 bytes.
func (a Arena) Load16(off uint32) uint16 { return *(*uint16)(unsafe.Add(a.base, uintptr(off))) }

// Load32 loads 4 bytes.
func (a Arena) Load32(off uint32) uint32 { return *(*uint32)(unsafe.Add(a.base, uintptr(off))) }

// Load64 loads 8 bytes.
func (a Arena) Load64(off uint32) uint64 { return *(*uint64)(unsafe.Add(a.base, uintptr(off))) }

// Store8 stores a byte.
func (a Arena) Store8(off uint32, v uint8) { *(*uint8)(unsafe.Add(a.base, uintptr(off))) = v }

// Store16 stores 2 bytes.
func (a Arena) Store16(off uint32, v uint16) { *(*uint16)(unsafe.Add(a.base, uintptr(off))) = v }

// Store32 stores 4 bytes.
func (a Arena) Store32(off uint32, v uint32) { *(*uint32)(unsafe.Add(a.base, uintptr(off))) = v }

// Store64 stores 8 bytes.
func (a Arena) Store64(off uint32, v uint64) { *(*uint64)(unsafe.Add(a.base, uintptr(off))) = v }

// Bytes gives n bytes at off as a slice; they lie in one page.
func (a Arena) Bytes(off, n uint32) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(a.base, uintptr(off))), n)
}
