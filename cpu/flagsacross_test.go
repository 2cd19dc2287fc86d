package cpu

import (
	"fmt"
	"testing"
)

// TestFlagsAcross: flags that an instruction leaves are there behind each way from
// one block to another, whatever reads them then.
func TestFlagsAcross(t *testing.T) {
	const (
		far  = smcOther // in another page
		back = c1 + 0x80
	)
	producers := []struct {
		name string
		code []byte
	}{
		{"ADD", []byte{0x83, 0xc0, 0x71}},                                     // add eax, 71h
		{"SHR by CL", []byte{0x83, 0xc0, 0x71, 0xd3, 0xe8}},                   // and shr eax, cl
		{"INC behind STC", []byte{0xf9, 0x40}},                                // stc; inc eax
		{"ADD, and a load", []byte{0x83, 0xc0, 0x71, 0x8b, 0x1d, 0, 0, 2, 0}}, // and mov ebx, [rigData]
		{"POPF", []byte{0x50, 0x9d}},                                          // push eax; popf
	}
	ways := []struct {
		name string
		way  func(r *rig) []byte
	}{
		{"JMP", func(*rig) []byte { return []byte{0xeb, 1, 0xf4} }},
		{"JMP to another page", func(r *rig) []byte {
			r.put(far, jumpTo(far, back-0x40)...)
			r.put(back-0x40, jumpTo(back-0x40, back)...)
			return jumpTo(back-0x60, far)
		}},
		{"JMP by a register", func(r *rig) []byte { return []byte{0xff, 0xe6} }},
		{"JMP by memory", func(r *rig) []byte { return cat([]byte{0xff, 0x25}, imm32(rigData+4)) }},
		{"CALL and RET", func(r *rig) []byte {
			r.put(far, 0xc3)
			return cat(callTo(back-0x60, far), jumpTo(back-0x60+5, back))
		}},
		{"CALL by a register", func(r *rig) []byte {
			r.put(back, 0x5d) // pop ebp
			return []byte{0xff, 0xd6}
		}},
		{"JCC taken", func(*rig) []byte { return []byte{0x70, 2, 0x71, 0, 0x90} }}, // jo; jno
		{"LOOP", func(*rig) []byte { return []byte{0xe2, 0, 0xe3, 0} }},            // loop; jecxz
		{"fall through", func(*rig) []byte { return nops(40) }},
		{"an instruction of its own", func(*rig) []byte { return []byte{0xe6, 0x80, 0x0f, 0x31} }}, // out; rdtsc
		{"CPUID", func(*rig) []byte { return []byte{0x60, 0x0f, 0xa2, 0x61} }},                     // between pusha and popa
	}
	readers := []struct {
		name string
		code []byte
	}{
		{"PUSHF", []byte{0x9c, 0x5d}},                                           // pushf; pop ebp
		{"ADC", []byte{0x83, 0xd2, 0x11}},                                       // adc edx, 11h
		{"SETcc and a store", []byte{0x89, 0x05, 8, 0, 2, 0, 0x0f, 0x9e, 0xc2}}, // mov [rigData+8], eax; setle dl
		{"LAHF", []byte{0x9f, 0x01, 0xc2}},                                      // lahf; add edx, eax
		{"INC, which keeps CF", []byte{0x42, 0x9c, 0x5d}},                       // inc edx; pushf; pop ebp
		{"a fault", []byte{0x8b, 0x1d, 0, 0, 0, 0x7f, 0x39, 0xc0}},              // mov ebx, [7f000000h]; cmp eax, eax
	}
	turns := 1500
	if testing.Short() {
		turns = 400
	}
	for _, p := range producers {
		for _, way := range ways {
			for _, reader := range readers {
				t.Run(fmt.Sprintf("%s/%s/%s", p.name, way.name, reader.name), func(t *testing.T) {
					w := newTwins(t, func(r *rig) {
						r.paging32()
						r.R[esi], r.R[ecx] = back, 0x10000
						r.put32(rigData+4, back)
						r.put(c1, nops(0x200)...)
						first := way.way(r)
						at := uint32(back - 0x60)
						r.put(rigCode, 0x41) // inc ecx
						r.put(at-uint32(len(p.code)), p.code...)
						r.put(at, first...)
						behind := uint32(back + 2)
						r.put(behind, reader.code...)
						behind += uint32(len(reader.code))
						r.put(behind, jumpTo(behind, rigCode)...)
					})
					w.run(turns, 1<<30)
					w.compareRAM(rigData, rigStack0-1)
				})
			}
		}
	}
}
