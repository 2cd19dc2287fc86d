package amd64

import (
	"strings"
	"testing"

	"golang.org/x/arch/x86/x86asm"
)

// TestEncoding holds what is encoded against an independent disassembler.
func TestEncoding(t *testing.T) {
	for _, tt := range []struct {
		want string // as x86asm writes it
		emit func(a *asm)
	}{
		{"mov eax, ecx", func(a *asm) { a.load(w32, rax, direct(rcx)) }},
		{"mov r8d, r12d", func(a *asm) { a.load(w32, r8, direct(r12)) }},
		{"mov rbx, qword ptr [r15+0x40]", func(a *asm) { a.load(w64, rbx, at(r15, 0x40)) }},
		{"mov dword ptr [rbp], r8d", func(a *asm) { a.store(w32, at(rbp, 0), r8) }},
		{"mov dword ptr [r13], eax", func(a *asm) { a.store(w32, at(r13, 0), rax) }},
		{"mov dword ptr [r12], eax", func(a *asm) { a.store(w32, at(r12, 0), rax) }},
		{"mov dword ptr [rsp+0x8], eax", func(a *asm) { a.store(w32, at(rsp, 8), rax) }},
		{"mov byte ptr [r10+rax], r8b", func(a *asm) { a.store(w8, indexed(r10, rax, 0, 0), r8) }},
		{"mov cl, byte ptr [r10+rax]", func(a *asm) { a.load(w8, rcx, indexed(r10, rax, 0, 0)) }},
		{"mov word ptr [r10+rax], si", func(a *asm) { a.store(w16, indexed(r10, rax, 0, 0), rsi) }},
		{"mov r10, qword ptr [r14+8*r10+0x2000000]", func(a *asm) { a.load(w64, r10, indexed(r14, r10, 3, 0x2000000)) }},
		{"lea eax, ptr [r8+4*rcx+0x7f]", func(a *asm) { a.lea(rax, indexed(r8, rcx, 2, 0x7f)) }},
		{"lea eax, ptr [8*rcx+0x12345678]", func(a *asm) { a.lea(rax, indexed(none, rcx, 3, 0x12345678)) }},
		{"lea eax, ptr [r12+0x80]", func(a *asm) { a.lea(rax, at(r12, 0x80)) }},
		{"lea eax, ptr [rdi+2*r12-0x80]", func(a *asm) { a.lea(rax, indexed(rdi, r12, 1, -0x80)) }},
		{"mov r9d, -0x21524111", func(a *asm) { a.movImm(r9, 0xdeadbeef) }},
		{"add r8d, 0x10", func(a *asm) { a.aluImm(aluADD, w32, direct(r8), 16) }},
		{"cmp ebx, 0x12345", func(a *asm) { a.aluImm(aluCMP, w32, direct(rbx), 0x12345) }},
		{"and cx, 0x1234", func(a *asm) { a.aluImm(aluAND, w16, direct(rcx), 0x1234) }},
		{"xor r8b, 0x7f", func(a *asm) { a.aluImm(aluXOR, w8, direct(r8), 0x7f) }},
		{"imul r9d, dword ptr [r10+rax]", func(a *asm) { a.op(0, w32, 0x0faf, uint8(r9), indexed(r10, rax, 0, 0)) }},
		{"shl r12d, cl", func(a *asm) { a.op(0, w32, 0xd3, 4, direct(r12)) }},
		{"movzx esi, byte ptr [r10+rax]", func(a *asm) { a.op(0, w32, 0x0fb6, uint8(rsi), indexed(r10, rax, 0, 0)) }},
		{"movups xmmword ptr [rbp+0x100], xmm3", func(a *asm) { a.op(0, w32, 0x0f11, 3, at(rbp, 0x100)) }},
		{"movdqu xmm9, xmmword ptr [r10+rax]", func(a *asm) { a.op(0xf3, w32, 0x0f6f, 9, indexed(r10, rax, 0, 0)) }},
	} {
		var a asm
		tt.emit(&a)
		in, err := x86asm.Decode(a.b, 64)
		if err != nil || in.Len != len(a.b) {
			t.Errorf("%s: % X decodes to %v in %d bytes: %v", tt.want, a.b, in, in.Len, err)
			continue
		}
		if got := x86asm.IntelSyntax(in, 0, nil); strings.ReplaceAll(got, ", ", ",") != strings.ReplaceAll(tt.want, ", ", ",") {
			t.Errorf("% X is %q, want %q", a.b, got, tt.want)
		}
	}
}

// TestVEX: x86asm knows no VEX; the bytes are the assembler's.
func TestVEX(t *testing.T) {
	for _, tt := range []struct {
		want string
		emit func(a *asm)
	}{
		{"c4 42 3a f5 d6", func(a *asm) { a.pext(r10, r8, direct(r14)) }},
		{"c4 42 7a f5 57 08", func(a *asm) { a.pext(r10, rax, at(r15, 8)) }},
		{"c4 43 7b f0 c0 08", func(a *asm) { a.rorx(r8, direct(r8), 8) }},
		{"c4 e3 7b f0 c1 18", func(a *asm) { a.rorx(rax, direct(rcx), 24) }},
	} {
		var a asm
		tt.emit(&a)
		var got []string
		for _, b := range a.b {
			got = append(got, string("0123456789abcdef"[b>>4])+string("0123456789abcdef"[b&15]))
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%s, want %s", s, tt.want)
		}
	}
}
