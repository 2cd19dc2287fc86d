package cpu

import (
	"fmt"
	"testing"

	"alpinevm/cpu/mem"
)

// leaving is a program of rounds in which a return does not lead to what the call
// has been followed by so far. ECX counts the rounds.
type leaving struct {
	name  string
	steps int
	code  func(r *rig) []byte
}

const (
	callSub   = rigCode + 0x400 // a function of a program
	callSaved = rigData + 0x40  // where one leaves a stack
)

// remapsWhileCalled calls mapX, which is mapped anew by what it calls in turn.
func remapsWhileCalled(flush []byte) func(r *rig) []byte {
	return func(r *rig) []byte {
		p := r.paging32()
		for frame, n := range map[uint32]uint32{mapOne: 1, mapTwo: 2} {
			r.put(frame, cat(callTo(mapX, callSub), gives(n))...)
			r.put(frame+0xffb, callTo(mapX+0xffb, callSub)...)
			r.put(frame+0x1000, gives(n+2)...)
		}
		r.R[ebx] = mapTwo | 7
		r.put32(p.entry(mapX), mapOne|7)
		sub := cat([]byte{0x81, 0xf3}, imm32(mapOne^mapTwo), []byte{0x89, 0x1d}, imm32(p.entry(mapX))) // xor ebx, ...; mov [pte], ebx
		sub = cat(sub, []byte{0x8d, 0x93}, imm32(0x1000), []byte{0x89, 0x15}, imm32(p.entry(mapX+0x1000)), flush)
		r.put(callSub, cat(sub, []byte{0xc3})...)
		b := cat([]byte{0x41}, callTo(rigCode+1, mapX), []byte{0x01, 0xd0}) // inc ecx; call mapX; add eax, edx
		b = cat(b, callTo(rigCode+uint32(len(b)), mapX+0xffb), []byte{0x01, 0xd0, 0xd1, 0xc0})
		return cat(b, jumpTo(uint32(len(b)), 0))
	}
}

var leavings = []leaving{
	{"mapped anew, INVLPG", 2500, remapsWhileCalled(cat(invlpgX, []byte{0x0f, 0x01, 0x3d}, imm32(mapX+0x1000)))},
	{"mapped anew, CR3", 2500, remapsWhileCalled(reloadCR3)},
	{"written over", 2500, func(r *rig) []byte {
		b := cat([]byte{0x41}, callTo(rigCode+1, callSub))
		r.put(callSub, cat(storeCL(rigCode+uint32(len(b))+1), []byte{0xc3})...) // mov [behind the call], cl; ret
		b = cat(b, loadEDX(0), []byte{0x01, 0xd0})
		return cat(b, jumpTo(uint32(len(b)), 0))
	}},
	{"written over, called by a register", 2500, func(r *rig) []byte {
		b := cat([]byte{0x41, 0xbf}, imm32(callSub), []byte{0xff, 0xd7})
		r.put(callSub, cat(storeCL(rigCode+uint32(len(b))+1), []byte{0xc3})...)
		b = cat(b, loadEDX(0), []byte{0x01, 0xd0})
		return cat(b, jumpTo(uint32(len(b)), 0))
	}},
	{"all of the page is another", 2500, func(r *rig) []byte {
		// The device that the function writes to reads the caller's page anew.
		n := uint32(0)
		read := func() {
			n++
			page := cat(callTo(mapOne, callSub), gives(n%3))
			r.put(mapOne, append(page, make([]byte, mem.PageSize-len(page))...)...)
		}
		read()
		r.ports.onOut = func(uint32) { read() }
		r.put(callSub, 0xf6, 0xc1, 3, 0x75, 2, 0xe6, 0x80, 0xc3) // test cl, 3; jnz over; out 80h, al; ret
		b := cat([]byte{0x41}, callTo(rigCode+1, mapOne), []byte{0x01, 0xd0, 0xd1, 0xc0})
		return cat(b, jumpTo(uint32(len(b)), 0))
	}},
	{"the call is written over, and what is behind it", 2500, func(r *rig) []byte {
		// What is behind the call has a line of its own and is translated first. Now and then
		// the function changes a byte in the line of the call, and then a constant behind it.
		const calls, behind = 0x3a, 0x40
		r.put(callSub, cat([]byte{0xf6, 0xc1, 7, 0x75, 12}, storeCL(rigCode+0x20), storeCL(rigCode+behind+1), []byte{0xc3})...)
		b := jumpTo(0, behind)
		b = append(b, make([]byte, calls-len(b))...)
		b = cat(b, []byte{0x41}, callTo(rigCode+calls+1, callSub), loadEDX(0), []byte{0x01, 0xd0, 0xd1, 0xc0}) // inc ecx; call; mov edx; add eax, edx; rol eax, 1
		return cat(b, jumpTo(uint32(len(b)), calls))
	}},
	{"another address", 2500, func(r *rig) []byte {
		// and ecx, ...; add [esp], the lowest bit of ecx; ret
		r.put(callSub, 0x89, 0xca, 0x83, 0xe2, 1, 0x01, 0x14, 0x24, 0xc3)
		b := cat([]byte{0x41}, callTo(rigCode+1, callSub), []byte{0x40, 0xd1, 0xc0}) // inc eax, or not; rol eax, 1
		return cat(b, jumpTo(uint32(len(b)), 0))
	}},
	{"moved to another page, and other code in its place", 12000, func(r *rig) []byte {
		const one, two, pointer, done, size = 0x1a0000, 0x1b0000, rigData + 0x80, callSub + 0x100, 600
		for at, n := range map[uint32]uint32{one: 1, two: 2} {
			r.put(at, cat([]byte{0xff, 0x15}, imm32(pointer), gives(n))...) // call [pointer]
		}
		r.put(mapOne, cat([]byte{0xff, 0x15}, imm32(pointer), gives(1))...)
		r.put32(pointer, callSub)
		r.put(done, 0xc3)
		r.R[ebx] = one
		move := func(to uint32) []byte { // from esi
			return cat([]byte{0xbf}, imm32(to), []byte{0xb9}, imm32(size/4), []byte{0xf3, 0xa5}) // mov edi; mov ecx; rep movsd
		}
		sub := cat([]byte{0x51, 0xc7, 0x05}, imm32(pointer), imm32(done), []byte{0x89, 0xde}, move(mapTwo)) // push ecx; mov [pointer], done; mov esi, ebx
		sub = cat(sub, []byte{0x81, 0xf3}, imm32(one^two), []byte{0x89, 0xde}, move(mapOne))
		sub = cat(sub, callTo(callSub+uint32(len(sub)), mapTwo), []byte{0x01, 0xd0, 0xc7, 0x05}, imm32(pointer), imm32(callSub), []byte{0x59, 0xc3})
		r.put(callSub, sub...)
		b := cat([]byte{0x41}, callTo(rigCode+1, mapOne), []byte{0x01, 0xd0, 0xd1, 0xc0})
		return cat(b, jumpTo(uint32(len(b)), 0))
	}},
	{"arguments taken off", 2500, func(r *rig) []byte {
		r.put(callSub, 0x03, 0x44, 0x24, 4, 0xc2, 8, 0) // add eax, [esp+4]; ret 8
		b := []byte{0x41, 0x51, 0x51}                   // inc ecx; push ecx; push ecx
		b = cat(b, callTo(rigCode+uint32(len(b)), callSub), []byte{0x89, 0xe2})
		return cat(b, jumpTo(uint32(len(b)), 0))
	}},
	{"two levels at once", 2500, func(r *rig) []byte {
		r.put(callSub, cat([]byte{0x40}, callTo(callSub+1, callSub+0x20), []byte{0x48, 0xc3})...) // inc eax; call; dec eax; ret
		r.put(callSub+0x20, 0x83, 0xc4, 4, 0xc3)                                                  // add esp, 4; ret
		b := cat([]byte{0x41}, callTo(rigCode+1, callSub))
		return cat(b, jumpTo(uint32(len(b)), 0))
	}},
	{"two stacks in turns", 2500, func(r *rig) []byte {
		// The other stack has been left in the middle of the same function.
		r.put32(callSaved, rigStack1-0x10)
		r.put32(rigStack1-0x10, rigCode+6)
		r.put(callSub, cat([]byte{0x87, 0x25}, imm32(callSaved), []byte{0x01, 0xe0, 0xc3})...) // xchg esp, [saved]; add eax, esp; ret
		b := cat([]byte{0x41}, callTo(rigCode+1, callSub), callTo(rigCode+6, callSub+6), []byte{0x31, 0xc8})
		return cat(b, jumpTo(uint32(len(b)), 0))
	}},
	{"of the kernel, taken by a program", 2500, func(r *rig) []byte {
		// The kernel leaves a function to the program instead of returning from it, every
		// other time. The program returns to behind that call, where it may not be.
		const kernel, sub = rigTarget, rigTarget + 0x40
		r.ring(3)
		r.idt(0x80, gate(selCode0, kernel, typeInt32, 3, 0))
		r.idt(vecGP, gate(selCode0, rigTarget+0x80, typeInt32, 3, 0))
		r.put(kernel, cat(callTo(kernel, sub), []byte{0xfa, 0x47, 0xcf})...) // cli; inc edi; iret
		r.put(sub, 0xf6, 0xc1, 1, 0x75, 1, 0xc3, 0x83, 0xc4, 4, 0xcf)        // test cl, 1; jnz over; ret; add esp, 4; iret
		r.put(rigTarget+0x80, cat([]byte{0x46, 0xc7, 0x44, 0x24, 4}, imm32(rigCode), []byte{0x83, 0xc4, 4, 0xcf})...)
		b := cat([]byte{0x41, 0xcd, 0x80, 0xbc}, imm32(rigStack3), []byte{0x68}, imm32(kernel+5), []byte{0xc3}) // int 80h; mov esp; push; ret
		return b
	}},
}

// TestReturns: a return leads to what the stack says, and executes what is there, whoever
// has called.
func TestReturns(t *testing.T) {
	for _, row := range leavings {
		for _, slice := range []int{1 << 30, 7, 1} {
			t.Run(fmt.Sprintf("%s/%d", row.name, slice), func(t *testing.T) {
				w := newTwins(t, func(r *rig) {
					r.put(rigCode, row.code(r)...)
					r.Reload()
				})
				w.run(row.steps, slice)
				w.compareRAM()
				if got := w.tested.R[ecx]; got < 12 {
					t.Errorf("%d rounds, delivered %.200s", got, w.tested.all())
				}
			})
		}
	}
}
