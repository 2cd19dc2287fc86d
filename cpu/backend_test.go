package cpu

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"alpinevm/cpu/mem"
	"alpinevm/cpu/x86"
)

// stepper is a Backend that generates no code: what it has "translated" it
// interprets instruction by instruction, or executes by hand where that is easy.
// It holds the processor to its side of the contract: whatever a back end would
// rely on is compared with the truth before it is relied on.
type stepper struct {
	t      testing.TB
	c      *CPU
	blocks map[stepKey]*stepBlock
	pages  [2]map[uint32]uint32 // arena pages that linear ones are known to be, for fetching
	writes [2]map[uint32]uint32 // and for writing
	rnd    *rand.Rand
	*stepped
}

// stepped counts what steppers have done. It outlives them: with each there is a machine.
type stepped struct {
	entered,
	byHand, interpreted uint64
}

type stepKey struct {
	eip, off uint32
	user     bool
}

type stepBlock struct {
	code []byte
	at   []uint32 // offsets of instructions
}

// attachStepper makes c use a stepper.
func attachStepper(t testing.TB, c *CPU, counts *stepped) {
	s := &stepper{t: t, c: c, blocks: map[stepKey]*stepBlock{}, rnd: rand.New(rand.NewPCG(1, 2)), stepped: counts}
	s.FlushTLB(true)
	c.Attach(s, uint8(s.rnd.IntN(3)))
}

func (s *stepper) Run(hot bool) Rest {
	c := s.c
	for !c.Attention() {
		user, ok := c.Translatable()
		if !ok && hot {
			return Untranslatable
		}
		if !ok {
			return Untranslated
		}
		off, ok := s.fetch(c.EIP, user)
		if !ok {
			return Untranslated
		}
		key := stepKey{c.EIP, off, user}
		b := s.blocks[key]
		if b == nil && !hot {
			return Untranslated
		}
		if b == nil {
			if b = s.translate(key); b == nil {
				return Untranslatable
			}
		}
		hot = false
		if uint64(len(b.at)) > c.Left() {
			return Partial
		}
		s.execute(key, b)
	}
	return Untranslated
}

// fetch finds the arena offset of lin as a back end does that remembers pages.
func (s *stepper) fetch(lin uint32, user bool) (off uint32, ok bool) {
	h := 0
	if user {
		h = 1
	}
	page, known := s.pages[h][lin>>12]
	if !known {
		if page, _, ok = s.c.Translation(h, lin).Fetch(); !ok {
			return 0, false
		}
		s.pages[h][lin>>12] = page
		if s.c.Translation(h, lin).Write() {
			s.writes[h][lin>>12] = page
		}
	}
	return page + lin&0xfff, true
}

// translate remembers the block at key, up to two instructions that end it.
func (s *stepper) translate(key stepKey) *stepBlock {
	code := s.c.CodeBytes(key.off, mem.PageSize-key.off%mem.PageSize)
	b := &stepBlock{}
	n := uint32(0)
	for len(b.at) < 8 && n < uint32(len(code)) {
		var in x86.Inst
		if x86.Decode(code[n:], x86.Mode32, &in) != x86.OK {
			break
		}
		b.at = append(b.at, n)
		n += uint32(in.Len)
		if in.Ends() {
			break
		}
	}
	if n == 0 {
		return nil
	}
	b.code = bytes.Clone(code[:n])
	s.blocks[key] = b
	s.c.MarkCode(key.off, n)
	return b
}

// execute runs b, which lies at EIP, as far as control stays in it.
func (s *stepper) execute(key stepKey, b *stepBlock) {
	c := s.c
	s.entered++
	s.check(key, b)
	defer s.learn()
	for i, at := range b.at {
		next := key.eip + uint32(len(b.code))
		if i+1 < len(b.at) {
			next = key.eip + b.at[i+1]
		}
		before := c.Retired
		if !s.doByHand(b.code[at:]) {
			s.interpreted++
			c.Interpret()
		}
		if c.Retired != before+1 && !(b.code[at] == 0xf3 || b.code[at] == 0xf2 || b.code[at] == 0x66 || b.code[at] == 0x67) {
			s.t.Errorf("% x: %d retired", b.code[at:], c.Retired-before)
		}
		if user, ok := c.Translatable(); !ok || user != key.user || c.EIP != next || c.Attention() || s.blocks[key] != b {
			return
		}
	}
}

// learn notes, now and then, which pages may be written to.
func (s *stepper) learn() {
	if s.rnd.IntN(4) != 0 {
		return
	}
	for h := range s.writes {
		for _, e := range s.c.TLB[h] {
			if tr := s.c.Translation(h, e.W); e.W != NoTag && tr.Write() {
				page, _, _ := tr.Read()
				s.writes[h][e.W>>12] = page
			}
		}
	}
}

// doByHand executes MOV and XOR of registers as generated code would: on State,
// with the flags in the form that it keeps.
func (s *stepper) doByHand(code []byte) bool {
	if code[0] != 0x89 && code[0] != 0x31 || code[1] < 0xc0 || s.rnd.IntN(2) == 0 {
		return false
	}
	s.byHand++
	c := s.c
	src, dst := c.R[code[1]>>3&7], &c.R[code[1]&7]
	if code[0] == 0x89 {
		*dst = src
	} else {
		*dst ^= src
		c.Res, c.Aux = *dst, 0
	}
	c.Advance(1, c.EIP+2)
	return true
}

// check compares what is about to be relied on with the truth.
func (s *stepper) check(key stepKey, b *stepBlock) {
	s.t.Helper()
	c := s.c
	if c.Pending != 0 || c.Retired >= c.Limit || c.Data == NoTLB || c.CPL == 3 != key.user || c.Mode&ModeFlat == 0 {
		s.t.Fatalf("entered with pending %#x, %d of %d retired, data TLB %d, CPL %d, mode %#x", c.Pending, c.Retired, c.Limit, c.Data, c.CPL, c.Mode)
	}
	if left := c.Limit - c.Retired; uint64(len(b.at)) > left {
		s.t.Fatalf("a block of %d instructions is entered with %d left", len(b.at), left)
	}
	if now := c.CodeBytes(key.off, uint32(len(b.code))); !bytes.Equal(now, b.code) {
		s.t.Fatalf("the code at %#x was % x and is % x: CodeWritten was not called", key.off, b.code, now)
	}
	if b, ok := s.truth(key.eip); ok && b != key.off {
		s.t.Fatalf("the code at %#x is taken from %#x and lies at %#x: a flush was not told of", key.eip, key.off, b)
	}
	for h := range s.writes {
		for lin, page := range s.writes[h] {
			if c.mem.Code(page) != 0 {
				s.t.Fatalf("linear page %#x may be written to, and arena page %#x holds code: ProtectPage was not called", lin, page)
			}
		}
	}
}

// truth walks the page tables.
func (s *stepper) truth(lin uint32) (off uint32, ok bool) {
	pa, ok := s.c.peekPage(lin)
	if !s.c.A20 {
		pa &^= 1 << 20
	}
	off, kind := s.c.mem.Lookup(pa)
	return off, ok && kind != mem.MMIO
}

func (s *stepper) FlushTLB(bool) {
	s.pages = [2]map[uint32]uint32{{}, {}}
	s.writes = [2]map[uint32]uint32{{}, {}}
}

func (s *stepper) FlushPage(lin uint32) {
	for h := range s.pages {
		for page := range s.pages[h] {
			// As if all pages were parts of large ones.
			if (page^lin>>12)>>10 == 0 {
				delete(s.pages[h], page)
			}
		}
		for page := range s.writes[h] {
			if (page^lin>>12)>>10 == 0 {
				delete(s.writes[h], page)
			}
		}
	}
}

func (s *stepper) ProtectPage(off uint32) {
	for h := range s.writes {
		for lin, page := range s.writes[h] {
			if page == off&^0xfff {
				delete(s.writes[h], lin)
			}
		}
	}
}

func (s *stepper) CodeWritten(off, n uint32) uint64 {
	hit := mem.Lines(off, n)
	for key, b := range s.blocks {
		if (key.off^off)>>12 == 0 && mem.Lines(key.off, uint32(len(b.code)))&hit != 0 {
			delete(s.blocks, key)
		}
	}
	return s.Lines(off)
}

func (s *stepper) Lines(off uint32) (lines uint64) {
	for key, b := range s.blocks {
		if (key.off^off)>>12 == 0 {
			lines |= mem.Lines(key.off, uint32(len(b.code)))
		}
	}
	return lines
}

// TestBlocksFlushed: what a back end has made of code is told of writes to it
// though the interpreter has forgotten the code.
func TestBlocksFlushed(t *testing.T) {
	c := newFlat(t, 4<<20, []byte{0xb8, 1, 0, 0, 0, 0x90, 0xeb, 0xf8}) // mov eax, 1; nop; jmp start
	c.Run(30)
	c.flushBlocks()
	b, ok := c.mem.View(0x100001, 1, true)
	if !ok {
		t.Fatal("no view")
	}
	b[0] = 9
	c.Run(3)
	if c.R[eax] != 9 {
		t.Errorf("EAX %d after DMA, want 9", c.R[eax])
	}
}

// TestDataBecomesCode: pages that have just been stored to are executed.
func TestDataBecomesCode(t *testing.T) {
	c := newFlat(t, 4<<20, []byte{
		0xbf, 0, 0, 0x20, 0, // mov edi, 200000h
		0x31, 0xc0, // again: xor eax, eax
		0xc7, 0x07, 0x40, 0x40, 0xc3, 0x90, // mov dword [edi]: inc eax; inc eax; ret; nop
		0xff, 0xd7, // call edi
		0x81, 0xc7, 0x00, 0x10, 0x00, 0x00, // add edi, 1000h
		0xeb, 0xee, // jmp again
	})
	c.Run(1)
	for i := range 100 {
		c.Run(7)
		if c.R[eax] != 2 {
			t.Fatalf("round %d: EAX %d, want 2", i, c.R[eax])
		}
		c.Run(1)
	}
}

// TestChecked: where each access needs a check, the interpreter does them all.
func TestChecked(t *testing.T) {
	c := newFlat(t, 4<<20, flatCode(10))
	c.DR[0], c.DR[7] = 0x300000, 0x400|1<<0|breakWrite<<16
	c.Reload()
	c.Run(10000)
	if c.Data != NoTLB {
		t.Error("a data breakpoint is not looked for")
	}
}

// TestBackendContract runs tests that change code, translations and modes under
// code that is executed, on the stepper.
func TestBackendContract(t *testing.T) {
	if otherEngine {
		t.Skip("not here: it has an engine of its own, and runs among the interpreter's tests")
	}
	attach := attachEngine
	defer func() { attachEngine = attach }()
	var all stepped
	attachEngine = func(t testing.TB, c *CPU) { attachStepper(t, c, &all) }
	for _, test := range []struct {
		name string
		f    func(*testing.T)
	}{
		{"SelfModifying", TestSelfModifying},
		{"DMAIntoCode", TestDMAIntoCode},
		{"ChainAcrossSpaces", TestChainAcrossSpaces},
		{"ChainAcrossCR3", TestChainAcrossCR3},
		{"RunRetiresExactly", TestRunRetiresExactly},
		{"StringCountsIterations", TestStringCountsIterations},
		{"TLB", TestTLB},
		{"INVLPGLarge", TestINVLPGLarge},
		{"CrossPage", TestCrossPage},
		{"PageRights", TestPageRights},
		{"RandomCode", TestRandomCode},
		{"SaveRestore", TestSaveRestore},
		{"Alignment", TestAlignment},
		{"DataBreakpoint", TestDataBreakpoint},
		{"CodeBreakpoint", TestCodeBreakpoint},
		{"SingleStep", TestSingleStep},
		{"External", TestExternal},
		{"BlocksFlushed", TestBlocksFlushed},
		{"DataBecomesCode", TestDataBecomesCode},
		{"Checked", TestChecked},
	} {
		t.Run(test.name, test.f)
	}
	if all.entered < 1000 || all.byHand < 1000 || all.interpreted < 1000 {
		t.Errorf("%d blocks entered, %d instructions executed by hand, %d interpreted: too few to tell anything", all.entered, all.byHand, all.interpreted)
	}
	t.Logf("%d blocks entered, %d instructions executed by hand, %d interpreted", all.entered, all.byHand, all.interpreted)
}
