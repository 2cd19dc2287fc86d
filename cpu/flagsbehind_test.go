package cpu

import "testing"

// TestFlagsBehindShifts: two instructions that read flags, one behind the other, find
// those of a shift, of which hosts leave AF as they like.
func TestFlagsBehindShifts(t *testing.T) {
	shifts := map[string][]byte{
		"SHL by 31 in memory": {0xc0, 0x25, 0, 0, 2, 0, 31}, "SAR by 3": {0xc1, 0xfb, 3}, "SHR by 1": {0xd1, 0xeb}, "SHL by CL": {0xd3, 0xe3}, "SHLD by 5": {0x0f, 0xa4, 0xc3, 5},
	}
	readers := map[string][]byte{
		"LAHF": {0x9f}, "SETcc": {0x0f, 0x9e, 0xc2}, "ADC": {0x83, 0xd6, 0x11}, "PUSHF": {0x9c, 0x5d}, "JCC": {0x7a, 1, 0x46, 0x74, 1, 0x46, 0x72, 1, 0x46}, // jp, jz, jc over inc esi
		"CMOVcc": {0x0f, 0x44, 0xf5}, "a store": {0xa3, 8, 0, 2, 0}, "INC": {0x47}, "CMC": {0xf5}, // mov [rigData+8], eax
	}
	for shift, s := range shifts {
		t.Run(shift, func(t *testing.T) {
			for first, a := range readers {
				for second, b := range readers {
					flagsBehind(t, s, a, b)
					if t.Failed() {
						t.Fatalf("then %s and %s", first, second)
					}
				}
			}
		})
	}
}

func flagsBehind(t *testing.T, shift, first, second []byte) {
	w := newTwins(t, func(r *rig) {
		r.R[ebx], r.R[esi], r.R[ebp] = 0x80000001, 1, 7
		// inc ecx; add ebx, 12345671h; the three; pushf; pop edi; add edx, edi; add edx, eax
		code := cat([]byte{0x41, 0x81, 0xc3}, imm32(0x12345671), shift, first, second, []byte{0x9c, 0x5f, 0x01, 0xfa, 0x01, 0xc2})
		r.put(rigCode, cat(code, jumpTo(uint32(len(code)), 0))...)
	})
	w.run(120, 1<<30)
	w.compareRAM(rigData, rigStack0-1)
}
