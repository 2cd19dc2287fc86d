//go:build linux && amd64

package amd64

import (
	"encoding/binary"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"alpinevm/cpu"
	"alpinevm/cpu/jit"
	"alpinevm/cpu/mem"
)

// resident is how many bytes of b the host holds in memory (Linux's
// Documentation/admin-guide/mm/pagemap.rst).
func resident(t *testing.T, start uintptr, n int) int {
	t.Helper()
	f, err := os.Open("/proc/self/pagemap")
	if err != nil {
		t.Skip("not here: ", err)
	}
	defer f.Close()
	size := unix.Getpagesize()
	entries := make([]byte, n/size*8)
	if _, err := f.ReadAt(entries, int64(start)/int64(size)*8); err != nil {
		t.Skip("not here: ", err)
	}
	pages := 0
	for ; len(entries) > 0; entries = entries[8:] {
		pages += int(binary.LittleEndian.Uint64(entries) >> 63) // present
	}
	return pages * size
}

// TestRoom: the memory of the host that translations take is in proportion to
// their number, and what as many take as are ever kept is less than 200 MB, so that a
// build of Go programs, with Go's heap beside, stays below 256.
func TestRoom(t *testing.T) {
	if err := Supported(); err != nil {
		t.Skip("not here: ", err)
	}
	const (
		code, blocks = 0x100000, 20000
		bound        = 200 << 20
	)
	m, err := mem.New(8 << 20)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	c, err := cpu.New(cpu.Config{Mem: m})
	if err != nil {
		t.Fatal(err)
	}
	b := []byte{}
	for range blocks { // add [data], eax; inc edx; jmp to what follows
		b = append(b, 0x01, 0x05, 0, 0x80, 0, 0, 0x42, 0xeb, 0)
	}
	if _, err := m.WriteAt(append(b, 0xf4), code); err != nil {
		t.Fatal(err)
	}
	flat(c)
	c.EIP = code
	c.Reload()
	target, err := New(c, jit.Config{})
	if err != nil {
		t.Fatal(err)
	}
	tr := jit.New(c, target, jit.Config{})
	defer tr.Close()
	c.Attach(tr, 0)
	defer c.Attach(nil, 0)
	held := func() (tables, code int) {
		return resident(t, target.context, regionSize), resident(t, target.exec, codeSize)
	}
	tables0, code0 := held()
	c.Run(3 * blocks)
	if got := tr.Stats.Blocks; got < blocks {
		t.Fatalf("%d blocks have been translated, want %d", got, blocks)
	}
	tables1, code1 := held()
	each := (tables1 - tables0) / blocks
	full := tables0 + each*maxBlocks + codeSize
	t.Logf("%d KB of tables and %d of code before; %d and %d bytes for each block; %d MB in all", tables0>>10, code0>>10, each, (code1-code0)/blocks, full>>20)
	if full > bound {
		t.Errorf("%d bytes of tables for a block: %d MB of translations at most, want %d", each, full>>20, bound>>20)
	}
	if each < 64 {
		t.Errorf("%d bytes for a block cannot be: this test measures nothing", each)
	}
}
