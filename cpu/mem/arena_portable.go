//go:build !(amd64 || 386 || arm64 || wasm || ppc64le || riscv64 || loong64)

package mem

import "encoding/binary"

// Arena gives access to RAM and ROM by arena offset, byte by byte on hosts that
// are big-endian or trap on unaligned access. See arena_native.go.
type Arena struct{ b []byte }

func newArena(b []byte) Arena { return Arena{b} }

// Load8 loads a byte.
func (a Arena) Load8(off uint32) uint8 { return a.b[off] }

// Load16 loads 2 bytes.
func (a Arena) Load16(off uint32) uint16 { return binary.LittleEndian.Uint16(a.b[off:]) }

// Load32 loads 4 bytes.
func (a Arena) Load32(off uint32) uint32 { return binary.LittleEndian.Uint32(a.b[off:]) }

// Load64 loads 8 bytes.
func (a Arena) Load64(off uint32) uint64 { return binary.LittleEndian.Uint64(a.b[off:]) }

// Store8 stores a byte.
func (a Arena) Store8(off uint32, v uint8) { a.b[off] = v }

// Store16 stores 2 bytes.
func (a Arena) Store16(off uint32, v uint16) { binary.LittleEndian.PutUint16(a.b[off:], v) }

// Store32 stores 4 bytes.
func (a Arena) Store32(off uint32, v uint32) { binary.LittleEndian.PutUint32(a.b[off:], v) }

// Store64 stores 8 bytes.
func (a Arena) Store64(off uint32, v uint64) { binary.LittleEndian.PutUint64(a.b[off:], v) }

// Bytes gives n bytes at off as a slice; they lie in one page.
func (a Arena) Bytes(off, n uint32) []byte { return a.b[off : off+n : off+n] }
