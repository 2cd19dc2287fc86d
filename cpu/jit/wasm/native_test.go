package wasm_test

import (
	"encoding/binary"
	"testing"

	"alpinevm/cpu/jit/wasm"
)

// TestNative: what a kernel does all the time stays in generated code, and does what
// the interpreter does: an instruction that is left to that costs a hundred others.
func TestNative(t *testing.T) {
	set := func(reg byte, v uint32) []byte { return binary.LittleEndian.AppendUint32([]byte{0xb8 + reg}, v) }
	cat := func(parts ...[]byte) (code []byte) {
		for _, p := range parts {
			code = append(code, p...)
		}
		return code
	}
	const eax, ecx, esi, edi = 0, 1, 6, 7
	for name, body := range map[string][]byte{
		"LODS SCAS":  cat(set(esi, 0x5000), set(edi, 0x5000), []byte{0xac, 0xae, 0xad, 0xaf, 0x66, 0xad, 0x66, 0xaf}),
		"MOVS":       cat(set(esi, 0x5001), set(edi, 0x5100), []byte{0xa4, 0xa5, 0x66, 0xa5}),
		"STOS":       cat(set(edi, 0x5000), []byte{0xaa, 0xab, 0x66, 0xab}),
		"CMPS":       cat(set(esi, 0x5000), set(edi, 0x5002), []byte{0xa6, 0xa7, 0x66, 0xa7, 0x0f, 0x92, 0xc3}), // setc bl
		"REP MOVSD":  cat(set(esi, 0x5000), set(edi, 0x6000), set(ecx, 0x400), []byte{0xf3, 0xa5}),
		"REP MOVSB":  cat(set(esi, 0x5007), set(edi, 0x5003), set(ecx, 100), []byte{0xf3, 0xa4}),
		"REP MOVS 0": cat(set(ecx, 0), []byte{0xf3, 0xa5}),
		"REP STOSD":  cat(set(eax, 0), set(edi, 0x6000), set(ecx, 0x400), []byte{0xf3, 0xab}),
		"REP STOSB":  cat(set(eax, 0x1234), set(edi, 0x6001), set(ecx, 7), []byte{0xf3, 0xaa}),
		"CMPXCHG8B":  cat([]byte{0xf0, 0x0f, 0xc7, 0x0d}, []byte{0, 0x50, 0, 0}, []byte{0x75, 0, 0x0f, 0x95, 0xc3, 0x43}), // jnz next; setnz bl; inc ebx
		"PUSH seg":   {0x0e, 0x1e, 0x06, 0x16, 0x0f, 0xa0, 0x0f, 0xa8, 0x83, 0xc4, 0x18},
		"SSE moves": {
			0x66, 0x0f, 0x6f, 0x0d, 0, 0x50, 0, 0, // movdqa xmm1, [5000h]
			0x0f, 0x11, 0x0d, 4, 0x51, 0, 0, // movups [5104h], xmm1
			0xf3, 0x0f, 0x7e, 0x15, 8, 0x50, 0, 0, // movq xmm2, [5008h]
			0x66, 0x0f, 0xd6, 0x15, 0x20, 0x51, 0, 0, // movq [5120h], xmm2
			0x66, 0x0f, 0x6e, 0xd8, // movd xmm3, eax
			0x66, 0x0f, 0x7e, 0xcb, // movd ebx, xmm1
			0xf2, 0x0f, 0x10, 0xe1, // movsd xmm4, xmm1
			0x0f, 0x16, 0xe2, // movlhps xmm4, xmm2
		},
		"SSE integer": {
			0x66, 0x0f, 0x6f, 0x0d, 0, 0x50, 0, 0, // movdqa xmm1, [5000h]
			0x66, 0x0f, 0xef, 0xd2, // pxor xmm2, xmm2
			0x66, 0x0f, 0x74, 0xd1, // pcmpeqb xmm2, xmm1
			0x66, 0x0f, 0xd7, 0xc2, // pmovmskb eax, xmm2
			0x66, 0x0f, 0xfe, 0x0d, 0x10, 0x50, 0, 0, // paddd xmm1, [5010h]
			0x66, 0x0f, 0x70, 0xd9, 0x1b, // pshufd xmm3, xmm1, 1bh
			0x66, 0x0f, 0x73, 0xdb, 3, // psrldq xmm3, 3
			0x66, 0x0f, 0xdf, 0xd3, // pandn xmm2, xmm3
			0x66, 0x0f, 0x7f, 0x15, 0, 0x51, 0, 0, // movdqa [5100h], xmm2
		},
		"MMX": {
			0x0f, 0x6f, 0x0d, 0, 0x50, 0, 0, // movq mm1, [5000h]
			0x0f, 0xfc, 0x0d, 8, 0x50, 0, 0, // paddb mm1, [5008h]
			0x0f, 0x60, 0xd1, // punpcklbw mm2, mm1
			0x0f, 0x63, 0xd1, // packsswb mm2, mm1
			0x0f, 0x71, 0xd2, 3, // psrlw mm2, 3
			0x0f, 0xd3, 0xca, // psrlq mm1, mm2
			0x0f, 0xd7, 0xc2, // pmovmskb eax, mm2
			0x0f, 0xc4, 0xd0, 2, // pinsrw mm2, eax, 2
			0x0f, 0x7f, 0x15, 0, 0x51, 0, 0, // movq [5100h], mm2
			0x0f, 0x7e, 0xd3, // movd ebx, mm2
			0xeb, 0, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, // a block that leaves all that as it is
		},
		"EMMS": {0x0f, 0x6e, 0xc0, 0x0f, 0x77, 0xeb, 0, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90}, // movd mm0, eax; emms
		"SSSE3, SSE4.1": {
			0x66, 0x0f, 0x6f, 0x0d, 0, 0x50, 0, 0, // movdqa xmm1, [5000h]
			0x66, 0x0f, 0x3a, 0x22, 0xc8, 1, // pinsrd xmm1, eax, 1
			0x66, 0x0f, 0x38, 0, 0x0d, 0x30, 0x50, 0, 0, // pshufb xmm1, [5030h]
			0x66, 0x0f, 0x3a, 0x0f, 0xd1, 5, // palignr xmm2, xmm1, 5
			0x66, 0x0f, 0x38, 0x17, 0xca, // ptest xmm1, xmm2
			0x0f, 0x92, 0xc3, // setc bl
			0x66, 0x0f, 0x38, 0x30, 0xd9, // pmovzxbw xmm3, xmm1
			0x66, 0x0f, 0x3a, 0x16, 0xd8, 2, // pextrd eax, xmm3, 2
		},
		"AES": {
			0x66, 0x0f, 0x38, 0xdc, 0xca, // aesenc xmm1, xmm2
			0x66, 0x0f, 0x38, 0xdd, 0x15, 0, 0x50, 0, 0, // aesenclast xmm2, [5000h]
			0x66, 0x0f, 0x38, 0xde, 0xd1, // aesdec xmm2, xmm1
			0x66, 0x0f, 0x38, 0xdf, 0xca, // aesdeclast xmm1, xmm2
		},
		"fences": {0x0f, 0xae, 0xe8, 0x0f, 0xae, 0xf0, 0x0f, 0xae, 0xf8},
	} {
		t.Run(name, func(t *testing.T) {
			jump := -len(body) - 2
			code := append(body[:len(body):len(body)], 0xeb, byte(jump))
			// Runs of all lengths, as a budget may end in the middle of a repetition.
			g, want := newGuest(t, code, false, &wasm.Config{Eager: true, Strict: true}), newGuest(t, code, false, nil)
			for _, g := range []*guest{g, want} {
				g.c.CR4 |= 1 << 9 // OSFXSR
				for i := range 64 {
					g.write(0x5000+4*int64(i), byte(i/3), byte(i), 0x80, byte(255-i))
				}
			}
			for _, n := range []int{20_000, 1, 2, 3, 500, 1500, 20_000} {
				g.c.Run(n)
				want.c.Run(n)
				if g.c.R != want.c.R || g.c.EIP != want.c.EIP || g.c.EFLAGS() != want.c.EFLAGS() || g.c.Retired != want.c.Retired || g.c.FPU != want.c.FPU || g.ram() != want.ram() {
					t.Fatalf("%x at %#x, flags %#x, %d retired; the interpreter has %x at %#x, flags %#x, %d",
						g.c.R, g.c.EIP, g.c.EFLAGS(), g.c.Retired, want.c.R, want.c.EIP, want.c.EFLAGS(), want.c.Retired)
				}
			}
			if s := g.tr.Stats; s.Inst > 20 || s.Entries == 0 {
				t.Errorf("%d times the interpreter was asked for an instruction: %+v", s.Inst, s)
			}
		})
	}
}

// TestRepeats: repetitions that generated code leaves, or that begin like those that
// it does at once, do what the interpreter does.
func TestRepeats(t *testing.T) {
	for _, tt := range []struct {
		name          string
		op            []byte
		esi, edi, ecx uint32
		eax           uint32
		down          bool
	}{
		{"over the end of a page", []byte{0xf3, 0xa5}, 0x5ff0, 0x4000, 8, 0, false},
		{"over the end of the other", []byte{0xf3, 0xa4}, 0x5000, 0x4ff9, 8, 0, false},
		{"to the end of a page", []byte{0xf3, 0xa4}, 0x5ff8, 0x4ff8, 8, 0, false},
		{"into what is read", []byte{0xf3, 0xa4}, 0x5000, 0x5001, 100, 0, false},
		{"into what is read, by words", []byte{0xf3, 0xa5}, 0x5000, 0x5002, 100, 0, false},
		{"just behind what is read", []byte{0xf3, 0xa5}, 0x5000, 0x5010, 4, 0, false},
		{"onto itself", []byte{0xf3, 0xa5}, 0x5000, 0x5000, 16, 0, false},
		{"downwards", []byte{0xf3, 0xa5}, 0x5040, 0x5140, 16, 0, true},
		{"filled downwards", []byte{0xf3, 0xab}, 0, 0x5140, 16, 0, true},
		{"filled with different bytes", []byte{0xf3, 0xab}, 0, 0x5000, 16, 0x01020304, false},
		{"filled with a word", []byte{0xf3, 0x66, 0xab}, 0, 0x5001, 16, 0xff05, false},
		{"filled with one byte", []byte{0xf3, 0x66, 0xab}, 0, 0x5001, 16, 0xff0505, false},
		{"more than a page", []byte{0xf3, 0xaa}, 0, 0x4000, 0x2001, 5, false},
		{"so many that they overflow", []byte{0xf3, 0xab}, 0, 0x5000, 0x40000001, 0, false},
		{"plain, downwards", []byte{0xa5, 0xac, 0xae, 0xab, 0xa6}, 0x5040, 0x5140, 16, 7, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code := append(tt.op[:len(tt.op):len(tt.op)], 0xeb, 0xfe)
			var got [2]*guest
			for i, cfg := range []*wasm.Config{{Eager: true, Strict: true}, nil} {
				g := newGuest(t, code, false, cfg)
				g.c.R[0], g.c.R[1], g.c.R[6], g.c.R[7] = tt.eax, tt.ecx, tt.esi, tt.edi
				if tt.down {
					g.c.Flags |= 1 << 10
				}
				for k := range int64(0x3000) {
					g.write(0x4000+k, byte(k*7))
				}
				g.c.Run(1)
				g.c.Run(30_000)
				got[i] = g
			}
			g, want := got[0], got[1]
			if g.c.R != want.c.R || g.c.EIP != want.c.EIP || g.c.EFLAGS() != want.c.EFLAGS() || g.ram() != want.ram() {
				t.Errorf("%x at %#x, flags %#x; the interpreter has %x at %#x, flags %#x", g.c.R, g.c.EIP, g.c.EFLAGS(), want.c.R, want.c.EIP, want.c.EFLAGS())
			}
		})
	}
}

// TestUsable: SSE instructions raise what the control registers say, though code for
// them was made where they did not.
func TestUsable(t *testing.T) {
	code := []byte{0x66, 0x0f, 0xef, 0xc0, 0x66, 0x0f, 0xfe, 0xc1, 0xeb, 0xf6} // pxor xmm0, xmm0; paddd xmm0, xmm1; jmp to the first
	for _, tt := range []struct {
		name     string
		cr0, cr4 uint32
		vector   uint32
	}{{"TS", 1 << 3, 1 << 9, 7}, {"EM", 1 << 2, 1 << 9, 6}, {"OSFXSR", 0, 0, 6}} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGuest(t, code, false, &wasm.Config{Eager: true})
			for v := range uint32(32) { // gates that lead to 9000h + 16 times the vector
				at := 0x9000 + 16*v
				g.write(0x4000+8*int64(v), byte(at), byte(at>>8), 8, 0, 0, 0x8e, 0, 0)
				g.write(int64(at), 0xeb, 0xfe)
			}
			g.write(0x3008, 0xff, 0xff, 0, 0, 0, 0x9a, 0xcf, 0, 0xff, 0xff, 0, 0, 0, 0x92, 0xcf, 0)
			g.c.IDTR.Base, g.c.IDTR.Limit = 0x4000, 0xff
			g.c.GDTR.Base, g.c.GDTR.Limit = 0x3000, 0x17
			g.c.CR4 |= 1 << 9
			g.c.Run(3000)
			if g.tr.Stats.Entries == 0 || g.tr.Stats.Inst != 0 {
				t.Fatalf("%+v", g.tr.Stats)
			}
			g.c.CR0, g.c.CR4 = g.c.CR0|tt.cr0, tt.cr4
			g.c.Run(3000)
			if want := 0x9000 + 16*tt.vector; g.c.EIP != want {
				t.Errorf("at %#x, want %#x", g.c.EIP, want)
			}
		})
	}
}
