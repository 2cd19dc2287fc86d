// Package baretest has programs that run on a bare machine and the images that
// they are booted from. Tests alone import it.
package baretest

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"sync"
)

// Buffer is a bytes.Buffer that a machine's outlet writes and a test reads.
type Buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// String is what has been written.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// Programs of a bare machine, for a 32-bit segment. They end by a byte to port
// F4h.
const (
	Exit   = "B02A E6F4 EBFE"              // mov al,42; out F4h,al; jmp $
	Wide   = "B878563412 66BAF400 EF EBFE" // mov eax,12345678h; mov dx,F4h; out dx,eax
	Halt   = "FA F4"                       // cli; hlt
	Loop   = "EBFE"                        // jmp $
	Idle   = "FB F4 EBFC"                  // sti; l: hlt; jmp l
	Fault  = "0F0B"                        // ud2, without an IDT
	Print  = "B068 66BAF803 EE E6E9 EBFE"  // mov al,'h'; out 3F8h,al; out E9h,al
	Flood  = "B078 66BAF803 EE EBFD"       // mov al,'x'; mov dx,3F8h; l: out dx,al; jmp l
	Mods   = "3D02B0AD2B 7505 8A4314 E6F4" // cmp eax,2BADB002h; jne; mov al,[ebx+20]; out F4h,al
	String = "8B4B10 8A01 E6F4 EBFE"       // mov ecx,[ebx+16]; mov al,[ecx]; out F4h,al
	Top    = "8B4308 C1E80A 40 E6F4 EBFE"  // mov eax,[ebx+8]; shr eax,10; inc eax; out F4h,al
	POST   = "B0A5 E680 B05A 66BA9001 EE " + Exit
	// A byte of CMOS RAM says that this is the second start.
	Twice     = "B040 E670 E471 84C0 7402 E6F4 B040 E670 B007 E671 " // if cmos[40h] != 0 {out F4h}; cmos[40h] = 7
	Reset     = Twice + "66BAF90C B006 EE EBFE"                      // mov dx,CF9h; mov al,6; out dx,al
	Reset8    = Twice + "B0FE E664 EBFE"                             // mov al,FEh; out 64h,al
	FastReset = Twice + "B001 E692 EBFE"                             // mov al,1; out 92h,al
	// Ticks sets up IDT, PIC and PIT for 100 interrupts a second and
	// waits in HLT for 20 of them.
	Ticks = `bc00780000e8000000005d8d857100000089c181e1ffff00008ccac1e210
		09d1890d00710000250000ffffb48ea30471000066c70500600000ff07c7
		0502600000007000000f011d00600000b011e620b020e621b004e621b001
		e621b0fee621b034e643b09ce640b02ee64031dbfbf483fb1472f988d8e6
		f4ebfe43b020e620cf`
)

// Code is the machine code that text spells in hexadecimal digits.
func Code(text string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return b
}

// Multiboot 0.6.96, 3.1.
const (
	multibootMagic     = 0x1badb002
	multibootAddresses = 1 << 16
	multibootLoad      = 0x100000
	multibootHeader    = 32
)

// BIOSCall goes to real mode and calls interrupt 15h: it copies itself, behind
// which is a GDT of one 16-bit code segment, to 7C00h.
const BIOSCall = `bc00780000 e800000000 5d 8d751e bf007c0000 b940000000 f3a4 0f0115287c0000 ea007c00000800
	0f20c0 24fe 0f22c0 ea0d7c0000 31c0 8ed8 8ed0 bc007c cd15 00000000000000000000000000000000
	0f00307c0000 0000 0000000000000000 ffff0000009b0000`

// Programs for the setup code of a bzImage, which runs in real mode with the
// command line at the offset in DS that the header's low half has.
const (
	// PrintLine prints the command line by interrupt 10h and ends with the
	// difference of CS and DS.
	PrintLine = `8b362802 ac 84c0 7409 b40e bb0700 cd10 ebf2
		8cc8 8cdb 29d8 baf400 ee ebfe` // mov si,[228h]; l: lodsb; test al,al; jz; mov ah,0Eh; mov bx,7; int 10h; jmp l; mov ax,cs; mov bx,ds; sub ax,bx; out F4h,al
	// PrintTwice is that behind a reset.
	PrintTwice = "B0 40 E6 70 E4 71 84 C0 75 0E B0 40 E6 70 B0 07 E6 71 BA F9 0C B0 06 EE " + PrintLine // if cmos[40h] == 0 {cmos[40h] = 7; reset}
)

// Real is a bzImage that has nothing but setup code.
func Real(program string) []byte {
	b := make([]byte, 1024)
	le := binary.LittleEndian
	b[0x1F1] = 1
	le.PutUint16(b[0x1FE:], 0xAA55)
	copy(b[0x200:], "\xEB\x66HdrS\x0F\x02")
	b[0x211] = 1
	le.PutUint32(b[0x22C:], 0x7FFFFFFF)
	le.PutUint32(b[0x238:], 2047)
	copy(b[0x268:], Code(program))
	return append(b, make([]byte, 512)...)
}

// Flat is a multiboot kernel that states its own addresses.
func Flat(program string) []byte {
	b, text := &bytes.Buffer{}, Code(program)
	end := uint32(multibootLoad + multibootHeader + len(text))
	magic, flags := uint32(multibootMagic), uint32(multibootAddresses)
	for _, v := range []uint32{magic, flags, -(magic + flags), multibootLoad, multibootLoad, end, end, multibootLoad + multibootHeader} {
		binary.Write(b, binary.LittleEndian, v)
	}
	b.Write(text)
	return b.Bytes()
}

// ELF is a multiboot kernel in an ELF file.
func ELF(program string) []byte {
	const text = 0x200000
	magic := uint32(multibootMagic)
	data := binary.LittleEndian.AppendUint32(nil, magic)
	data = binary.LittleEndian.AppendUint32(data, 0)
	data = binary.LittleEndian.AppendUint32(data, -magic)
	data = append(data, Code(program)...)
	h := elf.Header32{
		Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_386), Version: 1, Entry: text + 12,
		Phoff: 52, Ehsize: 52, Phentsize: 32, Phnum: 1, Shentsize: 40,
	}
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[elf.EI_CLASS], h.Ident[elf.EI_DATA], h.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS32), byte(elf.ELFDATA2LSB), 1
	b := &bytes.Buffer{}
	binary.Write(b, binary.LittleEndian, h)
	binary.Write(b, binary.LittleEndian, elf.Prog32{
		Type: uint32(elf.PT_LOAD), Off: 84, Vaddr: text, Paddr: text, Filesz: uint32(len(data)), Memsz: uint32(len(data)) + 64, Flags: 7, Align: 4,
	})
	b.Write(data)
	return b.Bytes()
}

// rom is a ROM image of 64 KiB with a program, for a 16-bit segment, at its
// start, to which the reset vector jumps.
func ROM(program string) []byte {
	b := make([]byte, 64<<10)
	copy(b, Code(program))
	copy(b[0xfff0:], Code("EA000000F0")) // jmp F000h:0
	return b
}
