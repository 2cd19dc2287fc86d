//go:build js && web

package wasm_test

import (
	"fmt"
	"testing"

	"alpinevm/cpu"
	"alpinevm/cpu/jit/wasm"
)

// flatCode is n blocks of 7 instructions one behind the other, which differ, and a
// jump to the first: code that does not fit the caches as a loop does.
func flatCode(n int) []byte {
	var code []byte
	for i := range n {
		code = append(code,
			0x05, byte(i), byte(i>>8), 0, 0, // add eax, i
			0x31, 0xc3, // xor ebx, eax
			0x89, 0x1d, byte(i)&0xfc, 0x60, 0, 0, // mov [6000h+], ebx
			0x8b, 0x15, byte(i*4)&0xfc, 0x60, 0, 0, // mov edx, [6000h+]
			0x01, 0xd1, // add ecx, edx
			0x39, 0xd9, // cmp ecx, ebx
			0x74, 0, // jz next
		)
	}
	return append(code, 0xe9, byte(-len(code)-5), byte((-len(code)-5)>>8), byte((-len(code)-5)>>16), 0xff)
}

// BenchmarkCode runs loops and flat code, on either engine: ns/op is that of a guest
// instruction. It runs under Node behind what web/src/jit.mjs makes, as the program itself
// does by testdata/node.mjs of cmd/alpinevm-web.
func BenchmarkCode(b *testing.B) {
	for _, code := range []struct {
		name string
		b    []byte
	}{{"loop", loopCode}, {"flat", flatCode(5000)}} {
		for _, engine := range []string{"interpreter", "translator"} {
			b.Run(fmt.Sprintf("%s/%s", code.name, engine), func(b *testing.B) {
				g := newGuest(b, code.b, false, nil)
				if engine == "translator" {
					if _, err := wasm.Run(g.c, false); err != nil {
						b.Fatal(err)
					}
				}
				const step = 100_000
				run := func(n int) {
					for ; n > 0; n -= step {
						if g.c.Run(min(n, step)) != (cpu.Exit{Reason: cpu.Budget}) {
							b.Fatal("the guest has ended")
						}
					}
				}
				run(20_000_000)
				b.ResetTimer()
				run(b.N)
			})
		}
	}
}
