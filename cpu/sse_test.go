package cpu

import (
	"encoding/binary"
	"testing"

	"alpinevm/cpu/x86"
)

// newSSE makes a flat CPU with SSE enabled and all its exceptions delivered.
func newSSE(tb testing.TB) *CPU {
	c := newFlat(tb, 4<<20, nil)
	c.CR4 |= cr4OSFXSR | cr4OSXMMEXCPT
	c.CR0 |= cr0NE
	return c
}

// scratch is where test operands lie in memory.
const scratch = 0x200000

// execute1 executes one instruction without delivering what it raises.
func (c *CPU) execute1(tb testing.TB, code ...byte) status {
	tb.Helper()
	var in x86.Inst
	if r := x86.Decode(code, x86.Mode32, &in); r != x86.OK || int(in.Len) != len(code) {
		tb.Fatalf("decode % x: result %d, length %d", code, r, in.Len)
	}
	var o op
	c.translate(&in, &o, c.Mode, 0)
	c.n, c.precise = 1, true
	c.Fault = Fault{}
	return o.fn(c, &o)
}

// encode gives the bytes of form f with ModRM.reg = reg; the r/m operand is
// register rm, or memory at scratch if mem is set.
func encode(f *x86.FormRow, reg, rm byte, mem bool, imm byte) []byte {
	var b []byte
	switch f.Prefix {
	case x86.P66:
		b = append(b, 0x66)
	case x86.PF3:
		b = append(b, 0xf3)
	case x86.PF2:
		b = append(b, 0xf2)
	}
	if f.Code > 0xffff {
		b = append(b, byte(f.Code>>16))
	}
	b = append(b, byte(f.Code>>8), byte(f.Code))
	for n := range byte(8) {
		if f.Sel&0xff == 1<<n {
			reg = n
		}
	}
	if mem {
		b = append(b, reg<<3|5)
		b = binary.LittleEndian.AppendUint32(b, scratch)
	} else if f.HasModRM() {
		b = append(b, 0xc0|reg<<3|rm)
	}
	for _, a := range f.Args {
		if a == x86.Ib {
			b = append(b, imm)
		}
	}
	return b
}

// takes says whether the form exists with its r/m operand in memory, or in a
// register.
func takes(f *x86.FormRow, mem bool) bool {
	if !mem {
		return f.Sel.Match(0xc0 | byte(sole(f.Sel))<<3)
	}
	return f.MemArg() >= 0 && f.Sel.Match(byte(sole(f.Sel))<<3)
}

// sole is the lowest ModRM.reg that s selects.
func sole(s x86.Sel) int {
	for n := range 8 {
		if s>>n&1 != 0 {
			return n
		}
	}
	return 0
}

// formsOf gives the rows of the opcode table with mnemonic m.
func formsOf(m x86.Op) (rows []*x86.FormRow) {
	for i := range x86.Forms {
		if f := &x86.Forms[i]; f.Op == m {
			rows = append(rows, f)
		}
	}
	return rows
}

func (c *CPU) poke(tb testing.TB, b []byte) {
	tb.Helper()
	if _, err := c.mem.WriteAt(b, scratch); err != nil {
		tb.Fatal(err)
	}
}

func (c *CPU) at(n uint32) []byte { return append([]byte(nil), c.ram.Bytes(scratch, n)...) }

func bytes128(x [2]uint64) []byte {
	b := binary.LittleEndian.AppendUint64(nil, x[0])
	return binary.LittleEndian.AppendUint64(b, x[1])
}

func to128(b []byte) [2]uint64 { return [2]uint64{le64(b), le64(b[8:])} }
