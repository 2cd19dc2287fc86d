//go:build !js

package board

import "golang.org/x/arch/x86/x86asm"

// disassemble gives the text of the instruction that code begins with, and its length;
// ok is false where there is none.
func disassemble(code []byte, mode int, at uint32) (text string, n int, ok bool) {
	inst, err := x86asm.Decode(code, mode)
	if err != nil {
		return "", 0, false
	}
	return x86asm.IntelSyntax(inst, uint64(at), nil), inst.Len, true
}
