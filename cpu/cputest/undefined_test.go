package cputest

import (
	"strings"
	"testing"

	"alpinevm/cpu/x86"
)

// extensions are opcodes that the host may have and the model does not, by
// their escapes and first bytes.
var extensions = []struct {
	name     string
	prefixes string // of which one is there, "-" for none
	lo, hi   uint32 // opcode with its escapes
}{
	{"SSE4.1, SSE4.2, AES, GFNI, INVPCID, MOVBE, ADX", "66", 0x0F3810, 0x0F38FF},
	{"SHA, MOVBE", "-", 0x0F38C8, 0x0F38F1},
	{"SSE4.2 CRC32", "F2", 0x0F38F0, 0x0F38F1},
	{"ADX", "F3", 0x0F38F6, 0x0F38F6},
	{"SSE4.1, SSE4.2, AES, PCLMULQDQ, GFNI", "66", 0x0F3A08, 0x0F3ADF},
	{"SHA", "-", 0x0F3ACC, 0x0F3ACC},
	{"SSE4a", "F2 F3", 0x0F2B, 0x0F2B},
	{"SSE4a", "66 F2", 0x0F78, 0x0F79},
	{"XSAVE, CLWB, CLFLUSHOPT", "- 66", 0x0FAE, 0x0FAE},
	{"XSAVES, XSAVEC", "-", 0x0FC7, 0x0FC7},
	{"POPCNT", "F3", 0x0FB8, 0x0FB8},
	{"RDPID", "F3", 0x0FC7, 0x0FC7},
	{"AVX, AVX-512, BMI", "-", 0xC4, 0xC5},
	{"AVX-512", "-", 0x62, 0x62},
	{"PREFETCH of a register, #UD on AMD", "- 66 F2 F3", 0x0F0D, 0x0F0D},
}

// extension says whether the difference is a known one.
func extension(prefix string, op uint32) bool {
	name := "-"
	if prefix != "" {
		name = string("0123456789ABCDEF"[prefix[0]>>4]) + string("0123456789ABCDEF"[prefix[0]&15])
	}
	for _, e := range extensions {
		if e.lo <= op && op <= e.hi && strings.Contains(e.prefixes, name) {
			return true
		}
	}
	return false
}

// TestUndefinedOpcodes asks silicon about every opcode with every ModRM.reg, in
// memory and register, under each mandatory prefix: what the decoder says is
// undefined must be #UD there, and nothing else.
func TestUndefinedOpcodes(t *testing.T) {
	s := newSilicon(t)
	type origin struct {
		prefix string
		op     uint32
	}
	var cases []Case
	var origins []origin
	var out [Batch]Outcome
	flush := func() {
		if err := s.Run(cases, out[:]); err != nil {
			t.Fatal(err)
		}
		for i := range cases {
			c := &cases[i]
			var in x86.Inst
			res := x86.Decode(c.Code[:c.Len], x86.Mode32, &in)
			ud := out[i].Vector == 6 && out[i].EIP == c.Addr
			if ud != (res == x86.Undefined) && !extension(origins[i].prefix, origins[i].op) {
				t.Errorf("% X: decoder says %d, silicon exception %d", c.Code[:c.Len], res, out[i].Vector)
			}
		}
		cases, origins = cases[:0], origins[:0]
	}
	for _, prefix := range []string{"", "\x66", "\xF3", "\xF2"} {
		for _, esc := range []string{"", "\x0F", "\x0F\x38", "\x0F\x3A"} {
			for op := range 256 {
				for m := range 256 {
					if !askOpcode(esc, byte(op), byte(m)) {
						continue
					}
					c := one(len(cases), []byte(prefix+esc+string([]byte{byte(op), byte(m)})+strings.Repeat("\x00", 9))...)
					var in x86.Inst
					if x86.Decode(c.Code[:c.Len], x86.Mode32, &in) == x86.OK {
						_, no := unasked[in.Op]
						if no || x86.Forms[in.Form].Flags&(x86.Ends|x86.IOPL) != 0 {
							continue
						}
					}
					c.Windows = []Window{{c.R[x86.ESP] - 64, make([]byte, 128)}}
					n := uint32(op)
					for i := range esc {
						n |= uint32(esc[len(esc)-1-i]) << (8 * (i + 1))
					}
					cases, origins = append(cases, c), append(origins, origin{prefix, n})
					if len(cases) == Batch {
						flush()
					}
				}
			}
		}
	}
	flush()
}

// askOpcode leaves out prefixes, system calls, and most of the ModRM bytes that
// differ in rm alone.
func askOpcode(esc string, op, m byte) bool {
	switch {
	case esc == "" && strings.IndexByte("\x0F\x26\x2E\x36\x3E\x64\x65\x66\x67\xF0\xF2\xF3", op) >= 0:
		return false
	case esc == "\x0F" && (op == 0x05 || op == 0x07 || op == 0x38 || op == 0x3A): // SYSCALL, SYSRET, escapes
		return false
	case esc == "\x0F" && op == 0x01 && m >= 0xC0: // VMMCALL, MONITOR and more
		return false
	case esc == "" && op >= 0xD8 && op <= 0xDF && m >= 0xC0:
		return true
	}
	return m&^0x38 == 0 || m&^0x38 == 0xC0 || m&^0x38 == 0xC1
}
