package cpu

import (
	"testing"

	"alpinevm/cpu/x86"
)

// x87Loops are loops of what compilers for the x87 make. EBX points to doubles.
var x87Loops = []struct {
	name string
	code []byte
}{
	{"polynomial", []byte{
		0xdc, 0x0c, 0xf3, // fmul qword [ebx+esi*8]
		0xdc, 0x44, 0xf3, 0x08, // fadd qword [ebx+esi*8+8]
		0x46,             // inc esi
		0x83, 0xe6, 0x0f, // and esi, 15
		0x49,       // dec ecx
		0x75, 0xf2, // jnz start
	}},
	{"conversion", []byte{
		0xd9, 0x7b, 0x40, // fnstcw [ebx+40h]
		0xd9, 0x6b, 0x48, // fldcw [ebx+48h]
		0xdd, 0x03, // fld qword [ebx]
		0xdb, 0x5b, 0x50, // fistp dword [ebx+50h]
		0xd9, 0x6b, 0x40, // fldcw [ebx+40h]
		0xdb, 0x43, 0x50, // fild dword [ebx+50h]
		0xdd, 0x5b, 0x58, // fstp qword [ebx+58h]
		0x49,       // dec ecx
		0x75, 0xe9, // jnz start
	}},
	{"arithmetic", []byte{
		0xdd, 0x05, 0, 0, 0x20, 0, // fld qword [200000h]
		0xdc, 0x0d, 8, 0, 0x20, 0, // fmul qword [200008h]
		0xdd, 0x05, 0x10, 0, 0x20, 0, // fld qword [200010h]
		0xd8, 0xc1, // fadd st,st1
		0xde, 0xc1, // faddp
		0xdd, 0x1d, 0x18, 0, 0x20, 0, // fstp qword [200018h]
		0xeb, 0xe2, // jmp start
	}},
	{"comparison", []byte{
		0xdd, 0x03, // fld qword [ebx]
		0xdd, 0x43, 0x08, // fld qword [ebx+8]
		0xdb, 0xe9, // fucomi st1
		0xd9, 0xc9, // fxch
		0xdf, 0xe9, // fucomip st1
		0xdd, 0xd8, // fstp st0
		0x49,       // dec ecx
		0x75, 0xf0, // jnz start
	}},
}

func BenchmarkX87(b *testing.B) {
	for _, l := range x87Loops {
		b.Run(l.name, func(b *testing.B) {
			c := newX87(b, 0x37f, xOne)
			c.mem.WriteAt(l.code, 0x100000)
			c.R[x86.EBX] = scratch
			for i := range uint32(17) {
				c.ram.Store64(scratch+8*i, 0x3fe8000000000000) // 0.75
			}
			c.ram.Store32(scratch+0x48, 0xf7f)
			c.Run(1000)
			b.ReportAllocs()
			b.ResetTimer()
			for done := 0; done < b.N; done += 100000 {
				if x := c.Run(min(b.N-done, 100000)); x.Reason != Budget {
					b.Fatal(x, c.Fault, c.EIP)
				}
			}
		})
	}
}
