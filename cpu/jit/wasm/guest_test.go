package wasm_test

import (
	"testing"

	"alpinevm/cpu"
	"alpinevm/cpu/jit/wasm"
	"alpinevm/cpu/jit/wasm/wasmtest"
	"alpinevm/cpu/mem"
)

const ramSize = 1 << 20

// guest is a processor in flat protected mode without paging, with code at 8000h.
type guest struct {
	t  testing.TB
	c  *cpu.CPU
	m  *mem.Memory
	tr *wasm.Translator
}

const origin = 0x8000

// newGuest makes one that runs code for WebAssembly, compiled if asked for, or with
// nil the interpreter.
func newGuest(t testing.TB, code []byte, compiled bool, cfg *wasm.Config) *guest {
	t.Helper()
	return newGuestOf(t, ramSize, code, compiled, cfg)
}

// newGuestOf is newGuest with so many bytes of RAM.
func newGuestOf(t testing.TB, size uint64, code []byte, compiled bool, cfg *wasm.Config) *guest {
	t.Helper()
	m, err := mem.New(size)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	c, err := cpu.New(cpu.Config{Mem: m})
	if err != nil {
		t.Fatal(err)
	}
	g := &guest{t: t, c: c, m: m}
	if cfg != nil {
		tr, detach, err := wasmtest.Attach(c, compiled, *cfg)
		if err != nil {
			t.Fatal(err)
		}
		g.tr = tr
		t.Cleanup(detach)
	}
	c.CR0 |= 1
	for i := range 6 {
		c.Seg[i] = cpu.Seg{Sel: 0x10, Limit: 0xffffffff, Attr: cpu.AttrP | cpu.AttrS | cpu.AttrWritable | cpu.AttrAccessed | cpu.AttrDB | cpu.AttrG}
	}
	c.Seg[1].Sel = 8
	c.Seg[1].Attr |= cpu.AttrCode
	c.R[4] = 0x7000
	c.EIP = origin
	g.write(origin, code...)
	c.Reload()
	return g
}

func (g *guest) write(at int64, b ...byte) {
	g.t.Helper()
	if _, err := g.m.WriteAt(b, at); err != nil {
		g.t.Fatal(err)
	}
}

// ram is a copy of all of the guest's memory.
func (g *guest) ram() string {
	b, _ := g.m.View(0, ramSize, false)
	return string(b)
}
