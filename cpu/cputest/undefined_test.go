package cputest

import (
	"bytes"
	"strings"
	"testing"

	"alpinevm/cpu/x86"
)

// mandatory lists the prefixes that select forms (SDM vol. 2A 2.1.2).
var mandatory = []struct {
	code string
	set  x86.PrefixSet
}{{"", x86.NP}, {"\x66", x86.P66}, {"\xF3", x86.PF3}, {"\xF2", x86.PF2}}

// opcode writes an opcode with its escapes behind a prefix.
func opcode(prefix string, op uint32) []byte {
	code := []byte(prefix)
	for shift := 16; shift > 0; shift -= 8 {
		if op>>shift != 0 {
			code = append(code, byte(op>>shift))
		}
	}
	return append(code, byte(op))
}

// undefinedCases makes a case of every opcode with every ModRM.reg, in memory and
// register, under each mandatory prefix. What an extension defines is left out: it
// would tell nothing, and do something. So are instructions that cannot be asked and
// those after which control may be elsewhere.
func undefinedCases(slot func(Case)) {
	n := 0
	for _, p := range mandatory {
		for _, esc := range []uint32{0, 0x0F00, 0x0F3800, 0x0F3A00} {
			for low := range uint32(256) {
				for m := range 256 {
					op := esc | low
					if !askOpcode(op, byte(m)) {
						continue
					}
					code := append(opcode(p.code, op), byte(m), 0, 0, 0, 0, 0, 0, 0, 0, 0)
					var in x86.Inst
					switch x86.Decode(code, x86.Mode32, &in) {
					case x86.OK:
						row := &x86.Forms[in.Form]
						if !asked(row) || row.Flags&(x86.Ends|x86.DstW) == x86.Ends || row.Flags&x86.IOPL != 0 {
							continue
						}
					case x86.Undefined:
						if extensionOf(p.set, op, byte(m)) != nil {
							continue
						}
					}
					c := oneCase(n%Batch, code...)
					c.Windows = []Window{{c.R[x86.ESP] - 64, make([]byte, 128)}}
					slot(c)
					n++
				}
			}
		}
	}
}

// opcodeDiffs asks an engine about every opcode and reports where it and the decoder
// are of two minds on whether there is such an instruction, but for those of features
// that the engine lacks.
func opcodeDiffs(e Engine, lacks map[x86.Feature]bool, report func(code []byte, decoder x86.Result, vector uint8)) error {
	var cases []Case
	var out [Batch]Outcome
	var failed error
	flush := func() {
		if failed == nil {
			failed = e.Run(cases, out[:])
		}
		for i := range cases {
			c := &cases[i]
			var in x86.Inst
			res := x86.Decode(c.Code[:c.Len], x86.Mode32, &in)
			ud := out[i].Vector == 6 && out[i].EIP == c.Addr
			lacking := ud && res == x86.OK && lacks[x86.Forms[in.Form].Feat]
			if failed == nil && ud != (res == x86.Undefined) && !lacking {
				report(c.Code[:c.Len], res, out[i].Vector)
			}
		}
		cases = cases[:0]
	}
	undefinedCases(func(c Case) {
		if cases = append(cases, c); len(cases) == Batch {
			flush()
		}
	})
	flush()
	return failed
}

// TestUndefinedOpcodes asks silicon about every opcode: what the decoder says is
// undefined must be #UD there, and nothing else.
func TestUndefinedOpcodes(t *testing.T) {
	s := newSilicon(t)
	err := opcodeDiffs(s, missing(t, s), func(code []byte, decoder x86.Result, vector uint8) {
		t.Errorf("% X: decoder says %d, silicon exception %d", code, decoder, vector)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// decoderEngine raises #UD where the decoder does, but for one opcode.
type decoderEngine struct{ wrong []byte }

func (d decoderEngine) Run(cases []Case, out []Outcome) error {
	for i := range cases {
		code := cases[i].Code[:cases[i].Len]
		var in x86.Inst
		ud := x86.Decode(code, x86.Mode32, &in) == x86.Undefined
		out[i] = Outcome{Final: Final{Vector: noVector, EIP: cases[i].Addr}}
		if ud != bytes.HasPrefix(code, d.wrong) {
			out[i].Vector = 6
		}
	}
	return nil
}

// TestUndefinedOpcodesSees: a processor that differs from the decoder in one opcode
// that no manual leaves open is found, in either direction.
func TestUndefinedOpcodesSees(t *testing.T) {
	for _, wrong := range []string{
		"\x01\xC0", "\x0F\x04", "\x0F\x0A\xC0", "\x0F\x26\x00", "\x0F\x38\x0C\x00", "\x66\x0F\x38\x16\x00", "\x66\x0F\x38\x26\xC0",
		"\x0F\x38\xF9\xC0", "\xF2\x0F\x38\xF9\x00", "\xF3\x0F\x38\xF0\x00", "\x0F\xB8\xC0", "\x0F\xC7\x00", "\x0F\xC7\xC8", "\x8F\xE0",
		"\x0F\x01\xD2", "\x0F\x01\xE9", "\x0F\x01\xF8", "\x66\x0F\xAE\xC0", "\x0F\x3A\xF0\xC0", "\xFE\x10", "\xC6\xF9", "\xD9\xE2", "\x0F\xA6\x00",
	} {
		n := 0
		err := opcodeDiffs(decoderEngine{[]byte(wrong)}, nil, func(code []byte, _ x86.Result, _ uint8) {
			if n++; !strings.HasPrefix(string(code), wrong) {
				t.Errorf("% X: % X is reported", wrong, code)
			}
		})
		if n == 0 || err != nil {
			t.Errorf("% X: nothing is found, %v", wrong, err)
		}
	}
}

// askOpcode leaves out prefixes and most of the ModRM bytes that differ in rm alone.
func askOpcode(op uint32, m byte) bool {
	switch {
	case op < 0x100 && strings.IndexByte("\x0F\x26\x2E\x36\x3E\x64\x65\x66\x67\xF0\xF2\xF3", byte(op)) >= 0:
		return false
	case op == 0x0F38 || op == 0x0F3A: // escapes
		return false
	case m >= 0xC0 && (op == 0x0F01 || op >= 0xD8 && op <= 0xDF || op == 0xC6 || op == 0xC7 || op == 0x0FAE || op == 0x0F3AF0):
		return true // rm selects
	}
	return m&^0x38 == 0 || m&^0x38 == 0xC0 || m&^0x38 == 0xC1
}
