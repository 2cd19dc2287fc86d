package main

import (
	"bytes"
	"debug/elf"
	"testing"
)

// TestTinyProgram reads the program by which doctor tries the host.
func TestTinyProgram(t *testing.T) {
	b := tinyProgram()
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil || len(f.Progs) != 2 {
		t.Fatalf("%+v, %v", f, err)
	}
	load, stack := f.Progs[0], f.Progs[1]
	if code := f.Entry - load.Vaddr; load.Type != elf.PT_LOAD || load.Filesz != uint64(len(b)) || b[code] != 0xb8 {
		t.Errorf("%+v: its entry is %#x", load, f.Entry)
	}
	if stack.Type != elf.PT_GNU_STACK || stack.Flags&elf.PF_X != 0 {
		t.Errorf("%+v", stack)
	}
}
