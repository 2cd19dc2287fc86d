package cpu

import "testing"

// TestJumpsToZero: linear address 0 is an address like any other, which calls, jumps and
// returns lead to, while what lies there changes, as a whole or near the code.
func TestJumpsToZero(t *testing.T) {
	const loop = 0x800e
	ways := map[string][]byte{
		"call":      {0xff, 0xd0},                                     // call eax
		"return":    {0x6a, 0, 0xc3},                                  // push 0; ret
		"jump":      {0xff, 0xe0},                                     // jmp eax
		"direct":    cat([]byte{0xe8}, imm32(1<<32-loop-2-5)),         // call 0
		"by memory": {0xa3, 0, 0xa0, 0, 0, 0xff, 0x15, 0, 0xa0, 0, 0}, // mov [0a000h], eax; call [0a000h]
	}
	changes := map[string][]byte{
		"nothing":     {},
		"near it":     {0xfe, 0x40, 0x20},       // inc byte [eax+20h]
		"in its page": {0xfe, 0x80, 0, 8, 0, 0}, // inc byte [eax+800h]
		"it":          {0xfe, 0x40, 5},          // inc byte [eax+5], the immediate
		"both":        {0xfe, 0x40, 0x20, 0xfe, 0x80, 0, 8, 0, 0},
	}
	for way, w := range ways {
		for change, c := range changes {
			for mode := byte(1); mode < 3; mode++ {
				// mov esi, 8040h; xor edi, edi; lea ecx, [edi+32]; rep movsb; nop; nop; loop: xor eax, eax; the way
				code := cat([]byte{0xbe}, imm32(0x8040), []byte{0x31, 0xff, 0x8d, 0x4f, 32, 0xf3, 0xa4, 0x90, 0x90, 0x31, 0xc0}, w)
				// At 0: the change; add ebx, 1; jmp loop
				zero := cat(c, []byte{0x83, 0xc3, 1, 0xe9})
				zero = cat(zero, imm32(loop-uint32(len(zero)+4)))
				compare(t, mode, cat(code, make([]byte, 0x40-len(code)), zero), 500)
				if t.Failed() {
					t.Fatalf("by %s, changing %s, mode %d", way, change, mode)
				}
			}
		}
	}
}
