package profile

import "encoding/binary"

// maxFrame is the distance of two frames of a stack that is believed, in bytes.
const maxFrame = 64 << 10

// stack gives the place and those that it was called from, innermost first, by frame
// pointers. Code need not keep them: a frame counts only if it lies in the stack,
// above the one before, and if what it returns to follows a call.
func stack(at At) []uint32 {
	list := []uint32{at.PC()}
	esp, ebp, ok := at.Stack()
	if !ok {
		return list
	}
	below := esp
	for len(list) < maxDepth {
		var b [8]byte
		if ebp%4 != 0 || ebp < below || ebp-below > maxFrame || ebp > 1<<32-9 || at.Peek(ebp, b[:]) < len(b) {
			break
		}
		up, back := binary.LittleEndian.Uint32(b[:]), binary.LittleEndian.Uint32(b[4:])
		if !calls(at, back) {
			break
		}
		list = append(list, back)
		below, ebp = ebp+8, up
	}
	return list
}

// calls tells whether there is a call before an address (SDM vol. 2, CALL): E8 with
// four bytes, or FF /2 with its operand.
func calls(at At, back uint32) bool {
	const longest = 7
	var b [longest]byte
	if back < longest || at.Peek(back-longest, b[:]) < longest {
		return false
	}
	if b[longest-5] == 0xe8 {
		return true
	}
	for _, k := range []int{2, 3, 4, 6, 7} {
		op, modrm := b[longest-k], b[longest-k+1:]
		if op == 0xff && modrm[0]>>3&7 == 2 && operandSize(modrm) == k-1 {
			return true
		}
	}
	return false
}

// operandSize is how many bytes a ModRM operand of 32-bit code has (SDM vol. 2 table
// 2-2).
func operandSize(b []byte) int {
	mod, rm := b[0]>>6, b[0]&7
	n := 1
	if mod != 3 && rm == 4 {
		if n++; len(b) > 1 && mod == 0 && b[1]&7 == 5 {
			return n + 4
		}
	}
	switch {
	case mod == 1:
		n++
	case mod == 2, mod == 0 && rm == 5:
		n += 4
	}
	return n
}
