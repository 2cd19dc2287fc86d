package cpu

import (
	"encoding/binary"
	"testing"

	"alpinevm/cpu/mem"
)

// newFlat makes a CPU in 32-bit flat protected mode without paging, with code
// at 1 MiB and the stack below it.
func newFlat(tb testing.TB, ram uint64, code []byte) *CPU {
	tb.Helper()
	m, err := mem.New(ram)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { m.Close() })
	c, err := newCPU(tb, Config{Mem: m})
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := m.WriteAt(code, 0x100000); err != nil {
		tb.Fatal(err)
	}
	c.CR0 |= cr0PE
	for i := range 6 {
		c.Seg[i] = Seg{Limit: 0xffffffff, Sel: 0x10, Attr: AttrP | AttrS | AttrWritable | AttrAccessed | AttrDB | AttrG}
	}
	c.Seg[segCS].Attr |= AttrCode
	c.Seg[segCS].Sel = 8
	c.EIP, c.R[esp] = 0x100000, 0x100000
	c.Reload()
	return c
}

// arithmeticLoop is a loop of 21 instructions: register and memory arithmetic,
// loads, stores, a call of branches.
var arithmeticLoop = []byte{
	0x01, 0xd8, // add eax, ebx
	0x31, 0xc1, // xor ecx, eax
	0x8b, 0x15, 0x00, 0x00, 0x20, 0x00, // mov edx, [200000h]
	0x83, 0xc2, 0x07, // add edx, 7
	0x89, 0x15, 0x04, 0x00, 0x20, 0x00, // mov [200004h], edx
	0x8d, 0x74, 0x82, 0x10, // lea esi, [edx+eax*4+16]
	0x21, 0xf7, // and edi, esi
	0x09, 0xd7, // or edi, edx
	0x03, 0x05, 0x08, 0x00, 0x20, 0x00, // add eax, [200008h]
	0x39, 0xd8, // cmp eax, ebx
	0x74, 0x00, // je +0
	0x29, 0xc3, // sub ebx, eax
	0xc1, 0xe2, 0x03, // shl edx, 3
	0x01, 0x15, 0x0c, 0x00, 0x20, 0x00, // add [20000ch], edx
	0x0f, 0xb6, 0xd1, // movzx edx, cl
	0x43,       // inc ebx
	0x85, 0xdb, // test ebx, ebx
	0x75, 0x00, // jne +0
	0x89, 0xc6, // mov esi, eax
	0x4d,                         // dec ebp
	0xe9, 0x00, 0x00, 0x00, 0x00, // jmp start, patched
}

func init() {
	n := len(arithmeticLoop)
	binary.LittleEndian.PutUint32(arithmeticLoop[n-4:], uint32(-n))
}

func BenchmarkLoop(b *testing.B) {
	c := newFlat(b, 16<<20, arithmeticLoop)
	c.Run(1000)
	b.ReportAllocs()
	b.ResetTimer()
	for done := 0; done < b.N; {
		n := min(b.N-done, 100000)
		if x := c.Run(n); x.Reason != Budget {
			b.Fatal(x, c.Fault, c.EIP)
		}
		done += n
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Minsn/s")
}

// flatCode is a ring of blocks, each of about six instructions of which a
// quarter access memory.
func flatCode(blocks int) []byte {
	var code []byte
	x := uint32(12345)
	rnd := func(n uint32) uint32 {
		x = x*1664525 + 1013904223
		return x >> 8 % n
	}
	regs := []byte{0, 1, 2, 3, 6, 7}
	reg := func() byte { return regs[rnd(6)] }
	for range blocks {
		for i := range 6 {
			a, b := reg(), reg()
			switch {
			case i%4 == 3:
				opc := []byte{0x8b, 0x89, 0x03, 0x8b}[rnd(4)]
				code = append(code, opc, 0x05|a<<3)
				code = binary.LittleEndian.AppendUint32(code, 0x200000+rnd(0x10000)&^3)
			default:
				switch rnd(5) {
				case 0:
					code = append(code, 0x01, 0xc0|a<<3|b)
				case 1:
					code = append(code, 0x31, 0xc0|a<<3|b)
				case 2:
					code = append(code, 0x83, 0xc0|a, byte(rnd(100)))
				case 3:
					code = append(code, 0x89, 0xc0|a<<3|b)
				case 4:
					code = append(code, 0x85, 0xc0|a<<3|b)
				}
			}
		}
		code = append(code, 0x70|byte(rnd(16)), 0x00)
	}
	code = append(code, 0xe9)
	return binary.LittleEndian.AppendUint32(code, uint32(-len(code)-4))
}

func BenchmarkFlat(b *testing.B) {
	c := newFlat(b, 16<<20, flatCode(5000))
	c.Run(100000)
	b.ReportAllocs()
	b.ResetTimer()
	for done := 0; done < b.N; {
		n := min(b.N-done, 100000)
		if x := c.Run(n); x.Reason != Budget {
			b.Fatal(x, c.Fault, c.EIP)
		}
		done += n
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Minsn/s")
}

// BenchmarkMovs copies 64 KiB with REP MOVSD.
func BenchmarkMovs(b *testing.B) {
	c := newFlat(b, 16<<20, []byte{
		0xbe, 0, 0, 0x20, 0, // mov esi, 200000h
		0xbf, 0, 0, 0x40, 0, // mov edi, 400000h
		0xb9, 0, 0x40, 0, 0, // mov ecx, 4000h
		0xf3, 0xa5, // rep movsd
		0xeb, 0xed, // jmp start
	})
	b.SetBytes(65536)
	for range b.N {
		c.Run(4 + 0x4000)
	}
	if c.EIP != 0x100000 {
		b.Fatalf("EIP %#x", c.EIP)
	}
}

// callCode is a ring of calls of small functions that are spread over pages:
// what returns and indirect jumps cost.
func callCode(functions int) []byte {
	const stride = 96
	code := make([]byte, 0, functions*(5+stride)+5)
	top := functions*5 + 5
	x := uint32(99)
	for i := range functions {
		x = x*1664525 + 1013904223
		target := top + int(x>>8)%functions*stride
		code = append(code, 0xe8)
		code = binary.LittleEndian.AppendUint32(code, uint32(target-(i+1)*5))
	}
	code = append(code, 0xe9)
	code = binary.LittleEndian.AppendUint32(code, uint32(-top))
	for range functions {
		f := []byte{0x55, 0x89, 0xe5, 0x01, 0xc8, 0x31, 0xc1, 0x5d, 0xc3} // push ebp; mov ebp, esp; add eax, ecx; xor ecx, eax; pop ebp; ret
		code = append(code, f...)
		code = append(code, make([]byte, stride-len(f))...)
	}
	return code
}

func BenchmarkCalls(b *testing.B) {
	c := newFlat(b, 16<<20, callCode(400))
	c.Run(100000)
	b.ReportAllocs()
	b.ResetTimer()
	for done := 0; done < b.N; {
		n := min(b.N-done, 100000)
		if x := c.Run(n); x.Reason != Budget {
			b.Fatal(x, c.Fault, c.EIP)
		}
		done += n
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Minsn/s")
}
