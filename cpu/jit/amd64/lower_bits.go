//go:build linux && amd64

package amd64

import (
	"golang.org/x/sys/cpu"

	"alpinevm/cpu/x86"
)

var bitRules = map[x86.Op]rule{
	x86.BT: {takes: takesBit, emit: bit}, x86.BTS: {takes: takesBit, emit: bit}, x86.BTR: {takes: takesBit, emit: bit}, x86.BTC: {takes: takesBit, emit: bit},
	x86.BSF: {emit: scan}, x86.BSR: {emit: scan},
	x86.POPCNT:    {takes: func(*x86.Inst) bool { return cpu.X86.HasPOPCNT }, emit: count},
	x86.BSWAP:     {takes: func(in *x86.Inst) bool { return in.OpSize == 4 }, emit: swap},
	x86.XADD:      {takes: takesExchange, emit: exchangeAdd},
	x86.CMPXCHG8B: {emit: compareExchange8},
	x86.CMPXCHG:   {takes: takesExchange, emit: compareExchange},
}

func count(e *emitter) {
	in := e.in
	m := direct(guest[in.RM&7])
	if in.Mem {
		m = e.memory(read, int(e.width()))
	}
	e.ready()
	e.hot.op(0xf3, e.width(), e.code(), uint8(guest[in.Reg]), m)
}

// takesBit refuses strings of bits in memory by 16-bit numbers.
func takesBit(in *x86.Inst) bool { return !in.Mem || has(in, x86.Ib) || in.OpSize == 4 }

func bit(e *emitter) {
	table := write
	if e.in.Op == x86.BT {
		table = read
	}
	if has(&e.in.Inst, x86.Ib) {
		e.rmOnly(0x0fba, e.in.ModRM>>3&7, table, true)
		e.hot.imm(e.in.Imm, w8)
		return
	}
	if e.in.Mem {
		e.bitString(table)
		return
	}
	e.regRM(e.code(), table, false, true)
}

// bitString serves a bit number in a register, which reaches beyond the operand
// in memory by 4 bytes for each 32 bits, both ways.
func (e *emitter) bitString(table int) {
	n := guest[e.in.Reg]
	e.spoil()
	e.hot.load(w32, r11, direct(n))
	e.hot.op(0, w32, 0xc1, 7, direct(r11)) // SAR
	e.hot.bytes(5)
	e.address(table, rax)
	e.hot.lea(rax, indexed(rax, r11, 2, 0))
	e.hot.op(0, w64, 0x8d, uint8(r10), e.check(table, rax, 4)) // LEA
	e.hot.load(w32, r11, at(r10, 0))
	e.ready()
	e.hot.op(0, w32, e.code(), uint8(n), direct(r11))
	if table == write {
		e.hot.store(w32, at(r10, 0), r11)
	}
}

// compareExchange8 has EDX, ECX and EBX where the host's instruction wants them.
func compareExchange8(e *emitter) {
	place := e.memory(write, 8)
	e.hot.op(0, w64, 0x8d, uint8(r11), place) // LEA
	e.ready()
	e.hot.load(w32, rax, direct(guest[x86.EAX]))
	e.hot.op(0, w32, 0x0fc7, 1, at(r11, 0))
	e.hot.load(w32, guest[x86.EAX], direct(rax))
}

// scan changes ZF alone, where the host leaves the other flags undefined.
func scan(e *emitter) {
	if e.in.Live&^x86.FlagZF == 0 {
		e.regRM(e.code(), read, true, false)
		return
	}
	e.save()
	e.inHost = false
	in := e.in
	m := direct(guest[in.RM&7])
	if in.Mem {
		m = e.memory(read, int(e.width()))
	}
	a := &e.hot
	a.op(0, e.width(), e.code(), uint8(guest[in.Reg]), m)
	a.bytes(0x9f, 0x0f, 0xb6, 0xc4) // LAHF; MOVZX eax, ah
	a.bytes(0x83, 0xe0, 0x40)       // AND eax, ZF
	a.op(0, w8, 0x80, aluAND, at(r15, ctxFlags+1))
	a.bytes(0xbf)
	a.op(0, w8, 0x08, uint8(rax), at(r15, ctxFlags+1)) // OR
	e.inContext()
}

func swap(e *emitter) {
	r := guest[e.in.Reg]
	if r >= r8 {
		e.hot.bytes(0x41)
	}
	e.hot.bytes(0x0f, 0xc8|byte(r)&7)
}

func exchangeAdd(e *emitter) { e.regRM(e.code(), write, false, true) }

// compareExchange has EAX in rax for the host's instruction.
func compareExchange(e *emitter) {
	in := e.in
	w := e.width()
	m := direct(guest[in.RM&7])
	if in.Mem {
		place := e.memory(write, int(w))
		e.hot.op(0, w64, 0x8d, uint8(r11), place) // LEA
		m = at(r11, 0)
	} else {
		e.spoil()
	}
	e.hot.load(w32, rax, direct(guest[x86.EAX]))
	if !in.Mem && m.reg == guest[x86.EAX] {
		// The accumulator is the destination: it equals itself.
		e.hot.op(0, w, e.code(), uint8(guest[in.Reg]), m)
		return
	}
	e.hot.op(0, w, e.code(), uint8(guest[in.Reg]), m)
	e.hot.load(w, guest[x86.EAX], direct(rax))
}
