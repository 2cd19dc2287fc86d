//go:build linux

package main

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Where programs of TestBesideV86 have their code and what it reads and writes.
const (
	codeBase = 0x08048000
	dataBase = 0x08200000
	dataSize = 0x10000
)

// program is a 32-bit program for Linux that executes so many instructions, a few more
// apart: body, which has n of them and leaves EBP and ESP alone, is repeated. Where it is
// given an argument it does a fiftieth.
type program struct {
	body   []byte
	n      int
	repeat uint32
}

// instructions are how many the program executes without an argument.
func (p program) instructions() uint64 { return uint64(p.repeat) * uint64(p.n+2) }

// file is the program's ELF file.
func (p program) file() []byte {
	u32 := binary.LittleEndian.AppendUint32
	code := u32([]byte{0xbd}, p.repeat)                     // mov ebp, repeat
	code = append(code, 0x83, 0x3c, 0x24, 0x01, 0x74, 0x05) // cmp dword [esp], 1; je over the next
	code = u32(append(code, 0xbd), max(p.repeat/50, 1))     // mov ebp, a fiftieth
	again := len(code)
	code = append(append(code, p.body...), 0x4d, 0x0f, 0x85) // dec ebp; jnz again
	code = u32(code, uint32(again-len(code)-4))
	code = append(code, 0xb8, 1, 0, 0, 0, 0x31, 0xdb, 0xcd, 0x80) // exit(0)

	const headers = 52 + 2*32
	h := elf.Header32{
		Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_386), Version: 1, Entry: codeBase + headers,
		Phoff: 52, Ehsize: 52, Phentsize: 32, Phnum: 2, Shentsize: 40,
	}
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[elf.EI_CLASS], h.Ident[elf.EI_DATA], h.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS32), byte(elf.ELFDATA2LSB), 1
	size := uint32(headers + len(code))
	var b bytes.Buffer
	for _, part := range []any{
		h,
		elf.Prog32{Type: uint32(elf.PT_LOAD), Vaddr: codeBase, Filesz: size, Memsz: size, Flags: uint32(elf.PF_R | elf.PF_X), Align: 4096},
		elf.Prog32{Type: uint32(elf.PT_LOAD), Vaddr: dataBase, Memsz: dataSize, Flags: uint32(elf.PF_R | elf.PF_W), Align: 4096},
		code,
	} {
		if err := binary.Write(&b, binary.LittleEndian, part); err != nil {
			panic("BUG: " + err.Error()) // a buffer takes all
		}
	}
	return b.Bytes()
}

// tightLoop has 19 instructions: arithmetic on registers and memory, loads, stores and
// two branches.
func tightLoop() (body []byte, n int) {
	at := func(code ...byte) []byte { return binary.LittleEndian.AppendUint32(code, dataBase) }
	for _, inst := range [][]byte{
		{0x01, 0xd8},             // add eax, ebx
		{0x31, 0xc1},             // xor ecx, eax
		at(0x8b, 0x15),           // mov edx, [data]
		{0x83, 0xc2, 0x07},       // add edx, 7
		at(0x89, 0x15),           // mov [data], edx
		{0x8d, 0x74, 0x82, 0x10}, // lea esi, [edx+eax*4+16]
		{0x21, 0xf7},             // and edi, esi
		{0x09, 0xd7},             // or edi, edx
		at(0x03, 0x05),           // add eax, [data]
		{0x39, 0xd8},             // cmp eax, ebx
		{0x74, 0x00},             // je to the next
		{0x29, 0xc3},             // sub ebx, eax
		{0xc1, 0xe2, 0x03},       // shl edx, 3
		at(0x01, 0x15),           // add [data], edx
		{0x0f, 0xb6, 0xd1},       // movzx edx, cl
		{0x43},                   // inc ebx
		{0x85, 0xdb},             // test ebx, ebx
		{0x75, 0x00},             // jne to the next
		{0x89, 0xc6},             // mov esi, eax
	} {
		body = append(body, inst...)
		n++
	}
	return body, n
}

// flatCode is a line of blocks, no two the same, of seven instructions each: one that
// accesses memory, five of registers, and a branch, which leads to the next block
// whether it is taken or not.
func flatCode(blocks int) (body []byte, n int) {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(from ...byte) byte { return from[r.IntN(len(from))] }
	reg := func() byte { return pick(0, 1, 2, 3, 6, 7) } // not ESP, EBP
	for range blocks {
		for i := range 6 {
			switch a, b := reg(), reg(); {
			case i == 3:
				body = append(body, pick(0x8b, 0x89, 0x03), 0x05|a<<3) // mov a, [x]; mov [x], a; add a, [x]
				body = binary.LittleEndian.AppendUint32(body, dataBase+r.Uint32N(dataSize)&^3)
			case r.IntN(5) == 0:
				body = append(body, 0x83, 0xc0|a, byte(r.IntN(100))) // add a, imm8
			default:
				body = append(body, pick(0x01, 0x31, 0x89, 0x85), 0xc0|a<<3|b) // add, xor, mov, test
			}
		}
		body = append(body, 0x70|byte(r.IntN(16)), 0x00) // jcc
	}
	return body, 7 * blocks
}

// measured are the programs by their names in the guest, of some two thousand million
// instructions each.
func measured() map[string]program {
	const all = 2_000_000_000
	loop, n := tightLoop()
	flat, m := flatCode(5000)
	return map[string]program{
		"loop": {loop, n, uint32(all / (n + 2))},
		"flat": {flat, m, uint32(all / (m + 2))},
	}
}

// TestMeasuredPrograms has the host, where it can, run what TestBesideV86 measures, with
// its hundredth part.
func TestMeasuredPrograms(t *testing.T) {
	for name, p := range measured() {
		if p.instructions() < 1_900_000_000 || p.instructions() > 2_000_000_000 {
			t.Errorf("%s executes %d instructions", name, p.instructions())
		}
		if f, err := elf.NewFile(bytes.NewReader(p.file())); err != nil || len(f.Progs) != 2 {
			t.Fatalf("%s: %v", name, err)
		}
		file := filepath.Join(t.TempDir(), name)
		p.repeat /= 100
		if err := os.WriteFile(file, p.file(), 0o755); err != nil {
			t.Fatal(err)
		}
		var failed *exec.ExitError // not of a host that does not start 32-bit programs
		if out, err := exec.Command(file, "less").CombinedOutput(); errors.As(err, &failed) {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
}
