package cpu

import (
	"encoding/hex"
	"strings"
	"testing"
)

// fuzzSeeds are what FuzzRun starts from: each kind of code in which an engine was
// once wrong, or easily could be. Code lies at 8000h, EBX to EDI point to 9000h to
// 9B00h, the GDT is at 2000h.
var fuzzSeeds = []struct {
	name string
	mode byte
	code string // in hexadecimal
}{
	{"mov byte [8008h], 0; inc edx; mov eax, 1; inc eax; jmp", 1, "C6050880000000 42 B801000000 40 EBF1"},
	{"rep movsb; inc ax; loop", 0, "F3A4 40 E2FB"},
	{"int 80h", 2, "CD80"},
	{"inc byte of the next instruction", 1, "FE0507800000 BA01020304 EBF3"},
	{"inc byte of the next instruction, ring 3", 2, "FE0507800000 BA01020304 EBF3"},
	{"dec word of the instruction before", 1, "BA01020304 66FF0D01800000 EBF2"},
	{"rep movsb of the code over itself", 1, "BE00800000 BF00800000 B910000000 F3A4 EBED"},
	{"rep stosd over what follows", 1, "BF10800000 B902000000 B840404040 F3AB 9090909090909090 EBE5"},
	{"an instruction that is written across two pages", 1, "C705FE8F0000B8010203 C6050290000004 66C70503900000EBF7 E9E00F0000"},
	{"push over the next instruction", 1, "BC0B800000 6840404040 90909090 EBF0"},
	{"fistp over the next instruction", 1, "D9E8 DB1D09800000 90 90909090 EBF1"},
	{"movq over the next instruction", 1, "660FD60509800000 90 9090909090909090 EBEF"},
	{"cli; inc; sti; inc; pushf; pop; popf", 1, "FA 43 FB 43 9C 5A 52 9D EBF6"},
	{"sti at a jump", 1, "FA FB EB00 40 FB E9F6FFFFFF"},
	{"single step", 1, "9C 810C2400010000 9D 40 41 EBF2"},
	{"single step, ring 3", 2, "9C 810C2400010000 9D 40 41 EBF2"},
	{"a breakpoint on code", 1, "B813800000 0F23C0 B802000000 0F23F8 40 40 40 40 EBFA"},
	{"a breakpoint on data", 1, "B800900000 0F23C0 B802000D00 0F23F8 8903 01F1 8B13 40 EBF7"},
	{"DS that gets a base", 1, "C6051220000010 B810000000 8ED8 8B1500900000 C605022000000C 8ED8 EBE5"},
	{"ES and FS that are null", 1, "31C0 8EC0 8EE0 8B0D00900000 26890D04900000 648B1500900000 EBE9"},
	{"a far jump, and far call and return", 1, "EA078000000800 9A10800000 0800 EBF6 40 CB"},
	{"flags over jumps and calls", 1, "01C8 EB00 11D0 E800000000 19C3 58 9F 83D200 D1D1 9E 0F92C2 7203 F5 72E4 EBE2"},
	{"flags that shifts by nothing keep", 1, "31C9 39D0 D3E0 72F8 0FA5D0 D3D8 7AF1 EBEF"},
	{"inc and dec keep CF", 1, "F9 40 83D100 F8 48 83D900 0F94C2 EBF1"},
	{"bits beyond the operand", 1, "B9FF000000 0FAB0B 0FB30D00900000 F7D9 0FA30B 0FBB4B04 EBEB"},
	{"esp as operand", 1, "54 5C 8F442404 FF742404 8F0424 87E3 87E3 C8100102 C9 EBE9"},
	{"pusha; popa; call; ret n", 1, "60 61 E803000000 58 EBF6 C20000"},
	{"16-bit pushes, calls and returns", 1, "6650 665B 66E80000 6658 6681C30100 EBF0"},
	{"lock, right and wrong", 1, "F00103 F00FB10B F00FC70B F00FC103 F001C0 EBEE"},
	{"divisions that overflow", 1, "31D2 F7F1 99 F7FB B900000000 F7F1 EBF1"},
	{"x87, MMX and SSE in turn", 1, "D9E8 0F6E C8 0F77 DEC1 0F6FD1 660F6EC0 0F5BC8 F20F58C1 DD1B DFE0 EBE5"},
	{"x87 that overflows its stack", 1, "D9EE D9E8 D9EE D9E8 D9EE D9E8 D9EE D9E8 D9EE DEC9 9B DBE2 EBE6"},
	{"x87 with unmasked exceptions", 1, "66C7030003 D92B D9EE D9E8 DEF1 9B DFE0 DBE3 EBED"},
	{"SSE with unmasked exceptions", 1, "C70300000000 0FAE13 0F57C0 F30F5EC0 F30F51C8 EBEB"},
	{"TS and EM", 1, "0F20C0 83C808 0F22C0 D9E8 0F6EC0 0F57C0 0F06 EBEC"},
	{"the page directory's accessed and dirty bits", 1, "C7050040000087010000 0F20D8 0F22D8 8B03 8903 0F013B EBE7"},
	{"strings backwards and over the end of memory", 1, "FD BFFEFF0F00 BE00900000 B905000000 F3A5 FC F3A6 F2AE EBE8"},
	{"addresses of 16 bits", 1, "67668B07 678B4100 67F3A4 6767E3F2 EBF0"},
	{"loop, loopne, jecxz", 1, "B903000000 40 E2FD B903000000 4B E0FD E302 EBEC EBEA"},
	{"mov to and from segment registers", 2, "8CD8 8ED8 8CE9 8EE9 1E 07 0FA0 0FA9 8CC2 EBEE"},
	{"int 80h to a kernel of its own, and back", 2, "C70500700000 40CF9090 CD80 43 EBFB"},
	{"sysenter and sysexit", 1, "B974010000 B808000000 31D2 0F30 41 B800600000 0F30 41 B82A800000 0F30 BA2D800000 B900900000 0F35 40 EBF1 43 0F34"},
	{"real mode over the end of the segment", 0, "B8FFFF 89C4 50 58 A3FFFF 8B1EFFFF EBF1"},
	{"real mode with operands of 32 bits", 0, "6640 6650 665B 67668B03 66C1E005 67F366A5 EBEB"},
}

// seed gives the bytes of a seed.
func seed(t testing.TB, code string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(code, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
