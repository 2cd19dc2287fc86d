//go:build linux && amd64

// Package amd64 is the back end of the translator for 64-bit x86 hosts: guest
// instructions are the same instructions again, on other registers and behind a
// look into the table of pages. Source: SDM vol. 2.
package amd64

import (
	"errors"
	"unsafe"

	"alpinevm/cpu"
	"alpinevm/cpu/jit"
)

// Where things lie while generated code runs. The guest's registers are in
// host registers everywhere; EAX is not in rax, so that LAHF, SETO and addresses
// have a scratch register. r15 points to the context, r14 to the table of
// readable pages of the current half, rbp to cpu.State, r13 counts the
// instructions that are left; rax, r10 and r11 are free.
var guest = [8]reg{r8, rcx, rdx, rbx, r9, r12, rsi, rdi}

const (
	regESP = r9
	regEBP = r12
)

// Code memory: hot code and what leaves it lie apart, in a part for each region
// of the store. The stubs are in front.
const (
	codeSize = 64 << 20
	stubSize = 64 << 10
	coldBase = 38 << 20
	hotPart  = (coldBase - stubSize) / jit.Regions &^ 4095
	coldPart = (codeSize - coldBase) / jit.Regions &^ 4095
	// releaseEvery is how much code is written between two releases.
	releaseEvery = 1 << 20
)

// Target is a jit.Target.
type Target struct {
	*memory
	hot, cold uint32 // next free code offsets
	hotEnd    uint32 // of the region's parts
	coldEnd   uint32
	written   uint32 // bytes since the last release
	host      host
	stubs     stubs
	e         emitter
}

// New makes a target whose code works on the state of c. It says why the host
// cannot have one.
func New(c *cpu.CPU, cfg jit.Config) (*Target, error) {
	if err := Supported(); err != nil {
		return nil, err
	}
	if c.ArenaBase() < 1<<32 {
		return nil, errors.New("the host has put the guest's memory below 4 GiB")
	}
	m, err := newMemory()
	if err != nil {
		return nil, err
	}
	t := &Target{memory: m, host: hostOf(cfg.Plain)}
	// SAFETY: the State is part of c, which the translator refers to; the Go
	// heap does not move.
	t.shared.State = uint64(uintptr(unsafe.Pointer(&c.State)))
	t.shared.Host, t.shared.HostCW = 0x1f80, 0x37f // as the Go runtime leaves them
	fillTags(t.region)
	t.shared.Mask = [4]uint32{mask1, mask2, mask4}
	a := asm{b: t.e.hot.b[:0]}
	t.stubs.emit(&a, t)
	if copy(t.write[:stubSize], a.b) != len(a.b) {
		panic("BUG: no room for the stubs")
	}
	t.Begin(0)
	return t, nil
}

// Memory is what code and front end share.
func (t *Target) Memory() *jit.Memory { return &t.shared }

// Begin makes a region the one that code goes to, from its start on.
func (t *Target) Begin(region int) {
	t.hot, t.cold = stubSize+uint32(region)*hotPart, coldBase+uint32(region)*coldPart
	t.hotEnd, t.coldEnd = t.hot+hotPart, t.cold+coldPart
}

func align(pos uint32) uint32 { return (pos + 15) &^ 15 }

// Address is where a code offset is executed.
func (t *Target) Address(code uint32) uint64 { return uint64(t.exec) + uint64(code) }

// Enter runs code from the offset on until it leaves.
func (t *Target) Enter(code uint32) {
	t.shared.Target = t.Address(code)
	enter(t.exec+uintptr(t.stubs.enter), t.context)
}

// Translate makes code of a unit.
func (t *Target) Translate(u *jit.Unit, s *jit.Store) bool {
	e := &t.e
	e.begin(t, s)
	for i := range u.Blocks {
		e.block(u, i)
	}
	if align(e.hot.pos()) > t.hotEnd || e.cold.pos() > t.coldEnd {
		return false
	}
	copy(t.write[e.hot.base:], e.hot.b)
	copy(t.write[e.cold.base:], e.cold.b)
	t.written += align(e.hot.pos()) - t.hot + e.cold.pos() - t.cold
	t.hot, t.cold = align(e.hot.pos()), e.cold.pos()
	if t.written >= releaseEvery {
		t.written = 0
		t.release()
	}
	return true
}

// The code that a fixed stub replaces an exit with, and back, is patched here.

// patch writes a jump to a code offset at another.
func (t *Target) patch(pos, to uint32) {
	t.write[pos] = 0xe9
	t.patchRel(pos+1, to)
}

// patchRel makes the displacement at pos lead to a code offset.
func (t *Target) patchRel(pos, to uint32) {
	d := to - (pos + 4)
	t.write[pos], t.write[pos+1], t.write[pos+2], t.write[pos+3] = byte(d), byte(d>>8), byte(d>>16), byte(d>>24)
}

// Link makes e lead to b.
func (t *Target) Link(e *jit.Edge, b *jit.Block) {
	way := e.Exit
	if e.Near {
		t.patch(e.Exit, b.Code)
		if b.Kills || !e.Saves {
			way = b.Code
		} else {
			way = e.Stub
		}
	} else {
		t.guard(e, b)
		if !b.Kills {
			way = e.Stub
		}
	}
	if e.Site != 0 {
		t.patchRel(e.Site, way)
	}
}

// guard writes, over what leaves in the stub of e, a look whether the page of b
// is mapped where the edge leads to.
func (t *Target) guard(e *jit.Edge, b *jit.Block) {
	a := asm{b: t.e.patch[:0], base: e.Exit}
	a.load(w32, rax, at(r15, ctxPage))
	a.aluImmLong(aluADD, direct(rax), int32(e.At&^0xfff))
	a.load(w32, r10, direct(rax))
	a.shiftRight(r10, 10) // an entry has 4 bytes
	a.load(w32, r11, at(r15, frameOf(b.Page)))
	a.op(0, w32, 0x3b, uint8(r11), indexed(r15, r10, 0, pagesAt(b.User))) // CMP
	a.bytes(0x75, 9)                                                      // JNZ over what follows
	a.store(w32, at(r15, ctxPage), rax)
	a.jmp(b.Code)
	t.e.patch = a.b
	if len(a.b) != guardSize {
		panic("BUG: a guard has another size")
	}
	copy(t.write[e.Exit:e.Exit+guardSize], a.b)
}

// guardSize is what stubs of edges to other pages keep free for guard.
const guardSize = 4 + 6 + 3 + 4 + 7 + 8 + 2 + 4 + 5

// Unlink makes e leave again.
func (t *Target) Unlink(e *jit.Edge, index uint32) {
	a := asm{b: t.e.patch[:0], base: e.Exit}
	t.e.leave(&a, jit.EdgeID(index))
	t.e.patch = a.b
	copy(t.write[e.Exit:], a.b)
	if e.Site != 0 {
		t.patchRel(e.Site, e.Stub)
	}
}

// Sever makes what falls into b take the stub of e.
func (t *Target) Sever(b *jit.Block, e *jit.Edge) { t.patch(b.Code, e.Stub) }
