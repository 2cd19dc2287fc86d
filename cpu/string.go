package cpu

import (
	"bytes"

	"alpinevm/cpu/mem"
	"alpinevm/cpu/x86"
)

func stringFamily() family {
	return family{
		x86.MOVS: selectString(movs, movsRun),
		x86.STOS: selectString(stos, stosRun),
		x86.LODS: selectString(lods, nil),
		x86.SCAS: selectString(scas, scasRun),
		x86.CMPS: selectString(cmps, cmpsRun),
	}
}

// iteration is one iteration of a string instruction. It says false where it
// faulted, with nothing changed.
type iteration func(c *CPU, o *op) bool

// run does as many iterations, up to n, as one pass over whole pages of RAM
// allows, and gives their number; 0 sends the caller to the iteration. It
// serves rising addresses.
type run func(c *CPU, o *op, n uint32) uint32

// selectString makes the handlers of a string instruction, plain and repeated.
// SCAS and CMPS are those that look at ZF.
//
//go:noinline
func selectString(once iteration, many run) selector {
	plain := func(c *CPU, o *op) status {
		if !once(c, o) {
			return faulted
		}
		return next
	}
	repeated := func(c *CPU, o *op) status { return c.repeat(o, once, many) }
	return func(t *translation) handler {
		if t.flags&(opRep|opRepne) == 0 {
			return plain
		}
		return repeated
	}
}

// index reads SI or DI as the address size says; step moves it.
func (c *CPU) index(r int, o *op) uint32 {
	if o.flags&opAddr16 != 0 {
		return c.R[r] & 0xffff
	}
	return c.R[r]
}

func (c *CPU) step16(r int, o *op, by uint32) {
	if o.flags&opAddr16 != 0 {
		c.R[r] = c.R[r]&0xffff0000 | (c.R[r]+by)&0xffff
	} else {
		c.R[r] += by
	}
}

// stride is what an iteration adds to an index.
func (c *CPU) stride(o *op) uint32 {
	if c.Flags&flagDF != 0 {
		return -uint32(o.size)
	}
	return uint32(o.size)
}

// repeat executes a REP, REPE or REPNE string instruction. Each iteration
// counts as an instruction; between two of them the budget and events may end
// it, and EIP stays.
func (c *CPU) repeat(o *op, once iteration, many run) status {
	if st, ok := c.exact(); !ok {
		return st
	}
	s := c.Core
	m := x86.Forms[o.form].Op
	compares := m == x86.SCAS || m == x86.CMPS
	count := c.index(ecx, o)
	if count == 0 {
		return next
	}
	for {
		done := uint32(0)
		if many != nil && s.Flags&flagDF == 0 && s.Data != NoTLB && s.Pending == 0 {
			left := s.Limit - s.Retired
			done = many(c, o, uint32(min(uint64(count), left)))
		}
		if done == 0 {
			if !once(c, o) {
				return faulted
			}
			done = 1
		}
		count -= done
		c.step16(ecx, o, -done)
		if count == 0 || compares && c.zf() == (o.flags&opRepne != 0) {
			// execute counts the last iteration.
			s.Retired += uint64(done) - 1
			return next
		}
		s.Retired += uint64(done)
		// TF and breakpoints are pending events: they end each iteration.
		if s.Retired >= s.Limit || c.stopped() || s.Pending != 0 {
			s.Paused = s.Retired
			s.Retired--
			return elsewhere
		}
	}
}

// source is the linear address of the operand at DS:ESI (or an override),
// dest that of ES:EDI.
func (c *CPU) source(o *op) (uint32, bool) {
	return c.segRead(o.seg, c.index(esi, o), uint32(o.size))
}

func (c *CPU) destRead(o *op) (uint32, bool) {
	return c.segRead(segES, c.index(edi, o), uint32(o.size))
}

func (c *CPU) destWrite(o *op) (uint32, bool) {
	return c.segWrite(segES, c.index(edi, o), uint32(o.size))
}

func movs(c *CPU, o *op) bool {
	src, ok := c.source(o)
	if !ok {
		return false
	}
	v, ok := c.load(src, o.size)
	if !ok {
		return false
	}
	dst, ok := c.destWrite(o)
	if !ok || c.store(dst, v, o.size) == faulted {
		return false
	}
	by := c.stride(o)
	c.step16(esi, o, by)
	c.step16(edi, o, by)
	return true
}

func stos(c *CPU, o *op) bool {
	dst, ok := c.destWrite(o)
	if !ok || c.store(dst, c.R[eax], o.size) == faulted {
		return false
	}
	c.step16(edi, o, c.stride(o))
	return true
}

func lods(c *CPU, o *op) bool {
	src, ok := c.source(o)
	if !ok {
		return false
	}
	v, ok := c.load(src, o.size)
	if !ok {
		return false
	}
	c.writeReg(eax, 0, v, o.size)
	c.step16(esi, o, c.stride(o))
	return true
}

func scas(c *CPU, o *op) bool {
	dst, ok := c.destRead(o)
	if !ok {
		return false
	}
	v, ok := c.load(dst, o.size)
	if !ok {
		return false
	}
	c.flagsSub(c.R[eax], v, c.R[eax]-v, o.size)
	c.step16(edi, o, c.stride(o))
	return true
}

func cmps(c *CPU, o *op) bool {
	src, ok := c.source(o)
	if !ok {
		return false
	}
	a, ok := c.load(src, o.size)
	if !ok {
		return false
	}
	dst, ok := c.destRead(o)
	if !ok {
		return false
	}
	b, ok := c.load(dst, o.size)
	if !ok {
		return false
	}
	c.flagsSub(a, b, a-b, o.size)
	by := c.stride(o)
	c.step16(esi, o, by)
	c.step16(edi, o, by)
	return true
}

// span gives the RAM behind linear address lin up to the end of its page, nil
// where the access faults or needs a look at each byte.
func (c *CPU) span(lin uint32, acc access) []byte {
	e := &c.tlb[lin>>12&tlbMask]
	page := lin &^ 0xfff
	off := e.Off + lin
	if acc == write && e.W != page || acc == read && e.R != page {
		p, ok := c.locate(lin, acc, c.Half)
		if !ok || p.kind == mem.MMIO || acc == write && (p.kind != mem.RAM || c.mem.Code(p.off) != 0) {
			return nil
		}
		if e.R != page {
			return nil // a debugger looks at each access
		}
		off = p.off
	}
	return c.ram.Bytes(off, mem.PageSize-lin&0xfff)
}

// linearSpan is span for an index register; it needs a segment without limit
// checks and an index that cannot wrap inside the page.
func (c *CPU) linearSpan(seg uint8, r int, o *op, acc access) []byte {
	g := &c.Seg[seg&7]
	need := FastRead
	if acc == write {
		need = FastWrite
	}
	if g.Fast&need == 0 || o.flags&opAddr16 != 0 {
		return nil
	}
	return c.span(g.Base+c.R[r], acc)
}

// whole is the number of whole operands in n bytes, at most most.
func whole(n int, most uint32, size uint8) uint32 {
	return min(uint32(n)/uint32(size), most)
}

func movsRun(c *CPU, o *op, n uint32) uint32 {
	s := c.Core
	src := c.linearSpan(o.seg, esi, o, read)
	dst := c.linearSpan(segES, edi, o, write)
	n = whole(min(len(src), len(dst)), n, o.size)
	k := n * uint32(o.size)
	// A destination that starts inside the source repeats a pattern, which
	// copy would not: memory order is by iteration.
	if n == 0 || !mem.Rising(dst[:k], src[:k]) {
		return 0
	}
	copy(dst[:k], src[:k])
	s.R[esi] += k
	s.R[edi] += k
	return n
}

func stosRun(c *CPU, o *op, n uint32) uint32 {
	dst := c.linearSpan(segES, edi, o, write)
	if n = whole(len(dst), n, o.size); n == 0 {
		return 0
	}
	k := n * uint32(o.size)
	dst = dst[:k]
	v := c.R[eax]
	if byteOf := v & 0xff; byteOf == 0 && (o.size == 1 || o.size == 2 && v&0xffff == 0 || v == 0) {
		clear(dst)
	} else {
		for i := range o.size {
			dst[i] = byte(v >> (8 * i))
		}
		for done := uint32(o.size); done < k; done *= 2 {
			copy(dst[done:], dst[:done])
		}
	}
	c.R[edi] += k
	return n
}

// scasRun searches or skips bytes; the iteration that ends the search is done
// here as well, for its flags.
func scasRun(c *CPU, o *op, n uint32) uint32 {
	if o.size != 1 {
		return 0
	}
	b := c.linearSpan(segES, edi, o, read)
	n = whole(len(b), n, 1)
	if n == 0 {
		return 0
	}
	b = b[:n]
	al := byte(c.R[eax])
	if o.flags&opRepne != 0 {
		if i := bytes.IndexByte(b, al); i >= 0 {
			n = uint32(i) + 1
		}
	} else {
		for i, x := range b {
			if x != al {
				n = uint32(i) + 1
				break
			}
		}
	}
	v := uint32(b[n-1])
	c.flagsSub(uint32(al), v, uint32(al)-v, 1)
	c.R[edi] += n
	return n
}

func cmpsRun(c *CPU, o *op, n uint32) uint32 {
	if o.flags&opRepne != 0 {
		return 0
	}
	a := c.linearSpan(o.seg, esi, o, read)
	b := c.linearSpan(segES, edi, o, read)
	n = whole(min(len(a), len(b)), n, o.size)
	if n == 0 {
		return 0
	}
	size := uint32(o.size)
	k := n * size
	a, b = a[:k], b[:k]
	if !bytes.Equal(a, b) {
		i := 0
		for a[i] == b[i] {
			i++
		}
		n = uint32(i)/size + 1
		k = n * size
	}
	var x, y uint32
	for i := range size {
		x |= uint32(a[k-size+i]) << (8 * i)
		y |= uint32(b[k-size+i]) << (8 * i)
	}
	c.flagsSub(x, y, x-y, o.size)
	c.R[esi] += k
	c.R[edi] += k
	return n
}
