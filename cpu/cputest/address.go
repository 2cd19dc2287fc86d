package cputest

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"

	"alpinevm/cpu/x86"
)

// pickTarget chooses where an operand of size bytes lies: inside a page at any
// alignment, across pages of each kind, on a read-only or an absent page.
// aligned says that 16 bytes is what the instruction asks for.
func pickTarget(r *rand.Rand, size int, aligned, plain bool) uint32 {
	n := uint32(size)
	inside := func(page uint32) uint32 {
		a := page + 0x100 + uint32(r.IntN(0x800))
		if aligned && r.IntN(8) != 0 {
			a &^= 15
		}
		return a
	}
	across := func(page uint32) uint32 {
		return page - 1 - uint32(r.IntN(int(max(n, 2)-1)))
	}
	p := r.IntN(100)
	switch {
	case p < 60 || plain:
		return inside(pageTwo)
	case p < 65:
		return inside(pageRO)
	case p < 69:
		return inside(pageRO + pageSize) // absent
	case p < 72:
		return uint32(pageLone+pageSize) - n // the last bytes before an absent page
	case aligned:
		return pick4(r, pageTwo, pageTwo+pageSize, pageRO, pageLone)
	case p < 80:
		return across(pageTwo + pageSize)
	case p < 86:
		return across(pageRO)
	case p < 90:
		return across(pageRO + pageSize)
	case p < 95:
		return across(pageLone + pageSize)
	}
	return across(pageLone)
}

// segmentEnd is where 16-bit addresses end in a segment at DataBase. Offset 0
// follows.
const segmentEnd = DataBase + 0x10000

// place is pickTarget for the memory operand. Where its offset has 16 bits, it
// lies across their end at times.
func (g *generator) place(size int, aligned bool) uint32 {
	t := pickTarget(g.Rand, size, aligned, g.plain)
	if g.addrSize == 2 && g.segBase() == DataBase && size > 1 && g.chance(40) {
		t = segmentEnd - 1 - uint32(g.IntN(size-1))
		if aligned && g.IntN(4) != 0 {
			t &^= 15
		}
	}
	return t
}

// putOperand pokes the contents of the memory operand, which go on at offset 0
// behind the end of 16-bit addresses.
func (g *generator) putOperand(at uint32, data []byte) {
	if n := segmentEnd - at; g.addrSize == 2 && g.segBase() == DataBase && n < uint32(len(data)) {
		g.poke(at, data[:n])
		at, data = DataBase, data[n:]
	}
	g.poke(at, data)
}

func pick4(r *rand.Rand, list ...uint32) uint32 { return list[r.IntN(len(list))] }

// segBase is the base of the segment that the operand is in.
func (g *generator) segBase() uint32 {
	if g.seg == x86.FS || g.seg == x86.GS {
		return DataBase
	}
	return g.c.dataBase()
}

// memSize is how many bytes the memory operand has.
func (g *generator) memSize() int {
	n := g.memArg.Size(g.opSize)
	if n == 0 {
		n = 4
	}
	return n
}

// address places the memory operand and sets registers and displacement so
// that they address it.
func (g *generator) address() {
	if g.target == 0 {
		size := g.memSize()
		if g.memory != nil {
			size = len(g.memory)
		}
		g.target = g.place(size, g.memArg.Aligned())
	}
	if g.addrSize == 2 && g.segBase() == 0 {
		g.target = uint32(g.IntN(0x10000)) // nothing is there
	}
	data := g.memory
	if data == nil {
		data = g.contents(g.memArg)
	}
	g.putOperand(g.target, data)
	if g.row.Op == x86.JMP || g.row.Op == x86.CALL {
		for i := range data { // what is there would be a target anywhere
			g.quit = g.quit || accessOf(g.target+uint32(i)) == readOnly
		}
	}
	ea := g.target - g.segBase() - g.shift
	if g.addrSize == 2 {
		g.solve16(ea)
	} else {
		g.solve32(ea)
	}
}

func (g *generator) reg(n uint8) uint32 {
	if n == x86.NoReg {
		return 0
	}
	return g.c.R[n]
}

func (g *generator) solve32(ea uint32) {
	if g.index != x86.NoReg && !g.fixed[g.index] && g.IntN(2) == 0 {
		g.c.R[g.index] = uint32(g.IntN(256)) - 128
	}
	switch g.mod {
	case 1:
		g.disp = uint32(int32(int8(g.Uint32())))
	case 2:
		g.disp = pick(g, 0, 1, 0xFFFFFFFF, 0x80000000, g.Uint32())
	}
	if g.base != x86.NoReg && g.base != g.index && !g.fixed[g.base] {
		g.c.R[g.base] = ea - g.disp - g.reg(g.index)<<g.scale
		return
	}
	if g.base != x86.NoReg {
		g.mod = 2
	}
	g.disp = ea - g.reg(g.base) - g.reg(g.index)<<g.scale
}

func (g *generator) solve16(ea uint32) {
	if g.mod == 1 {
		g.disp = uint32(int32(int8(g.Uint32())))
	} else if g.mod == 2 {
		g.disp = g.Uint32()
	}
	set := func(n uint8) bool {
		if n == x86.NoReg || g.fixed[n] {
			return false
		}
		other := g.reg(g.base) + g.reg(g.index) - g.reg(n)
		g.putReg(n, 2, ea-g.disp-other)
		return true
	}
	if set(g.base) || set(g.index) {
		return
	}
	if g.base != x86.NoReg {
		g.mod = 2
	}
	g.disp = ea - g.reg(g.base) - g.reg(g.index)
}

// poke puts data at addr: the bytes of it that are in writable memory become
// part of a window.
func (g *generator) poke(addr uint32, data []byte) {
	for len(data) > 0 {
		n := min(len(data), int(pageSize-addr%pageSize))
		if accessOf(addr) == readWrite {
			g.c.Windows = addWindow(g.c.Windows, Window{addr, data[:n]})
		}
		addr += uint32(n)
		data = data[n:]
	}
}

// addWindow adds w, merged with the windows that it touches.
func addWindow(list []Window, w Window) []Window {
	w.Data = slices.Clone(w.Data)
	var rest []Window
	for _, o := range list {
		oEnd, wEnd := o.Addr+uint32(len(o.Data)), w.Addr+uint32(len(w.Data))
		if oEnd < w.Addr || wEnd < o.Addr {
			rest = append(rest, o)
			continue
		}
		lo, hi := min(o.Addr, w.Addr), max(oEnd, wEnd)
		data := make([]byte, hi-lo)
		copy(data[o.Addr-lo:], o.Data)
		copy(data[w.Addr-lo:], w.Data)
		w = Window{lo, data}
	}
	return append(rest, w)
}

// contents gives bytes for a memory operand of kind a.
func (g *generator) contents(a x86.Arg) []byte {
	le := binary.LittleEndian
	n := a.Size(g.opSize)
	switch a {
	case x86.Mf32:
		return le.AppendUint32(nil, single(g.Rand))
	case x86.Mf64:
		return le.AppendUint64(nil, double(g.Rand))
	case x86.Mf80:
		v := extendedValue(g.Rand)
		return le.AppendUint16(le.AppendUint64(nil, v.mant), v.se)
	case x86.Mbcd:
		return g.bcd()
	case x86.Menv:
		return g.environment()
	case x86.Msave:
		b := g.environment()
		for range 8 {
			v := extendedValue(g.Rand)
			b = le.AppendUint16(le.AppendUint64(b, v.mant), v.se)
		}
		return b
	case x86.Mfx:
		var fx [512]byte
		fxState(g.Rand, &x86.Forms[g.c.Form], &fx)
		for i := fxRest; i < len(fx); i++ {
			fx[i] = byte(g.Uint32())
		}
		if g.chance(20) {
			fx[fxMXCSR+2] = byte(g.Uint32()) &^ 2 // bit 17 is AMD's
		}
		return fx[:]
	}
	var b []byte
	l := lanesOf(g.row)
	for len(b) < n {
		switch {
		case n-len(b) >= 8:
			b = le.AppendUint64(b, lane8(g.Rand, l))
		case l == floats32:
			b = le.AppendUint32(b, single(g.Rand))
		default:
			b = le.AppendUint32(b, word(g.Rand, min(n, 4)))
		}
	}
	return b[:n]
}

func (g *generator) bcd() []byte {
	b := make([]byte, 10)
	for i := range 9 {
		b[i] = byte(g.IntN(10)) | byte(g.IntN(10))<<4
		if g.IntN(3) == 0 {
			b[i] = pick(g, byte(0), 0x99)
		}
	}
	b[9] = pick(g, byte(0), 0x80, 0x7F, 0xFF)
	return b
}

// environment is an x87 environment of the operand size's format.
func (g *generator) environment() []byte {
	v := []uint32{uint32(controlWord(g.Rand)), g.Uint32(), g.Uint32(), g.Uint32(), g.Uint32(), g.Uint32(), g.Uint32()}
	if g.IntN(3) != 0 {
		v[1] &^= 0x3F
	}
	if g.IntN(2) == 0 {
		v[2] = 0
	}
	var b []byte
	for _, x := range v {
		if g.opSize == 2 {
			b = binary.LittleEndian.AppendUint16(b, uint16(x))
		} else {
			b = binary.LittleEndian.AppendUint32(b, x)
		}
	}
	return b
}
