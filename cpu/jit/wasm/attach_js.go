//go:build js && web

package wasm

import (
	"errors"
	"syscall/js"
	"unsafe"

	"alpinevm/cpu"
)

// enter is what whoever starts the program has made of Base, so that calls of
// generated code stay inside WebAssembly.
//
//go:wasmimport jit enter
func enter(core, tlb, pc, fn uint32) uint32

// bridge is the object with which the program's starter makes and drops modules, as
// web/src/jit.mjs does: load(bytes) and drop(places).
const bridge = "alpinevmJIT"

// Supported says why the host cannot run translated code.
func Supported() error {
	if !js.Global().Get(bridge).Truthy() {
		return errors.New("the page that started the program has not set up what translated code needs")
	}
	return nil
}

// Where code runs that V8 and its like compile, translating pays off much later than
// where it is machine code at once: it costs 40 microseconds an instruction, three
// quarters of that on other threads.
const (
	hotness  = 250
	asks     = 4
	tepid    = 10
	patience = 3_000_000
)

// Run gives c a translator whose code the browser runs.
func Run(c *cpu.CPU, strict bool) (*Translator, error) {
	if err := Supported(); err != nil {
		return nil, err
	}
	h := &browser{js.Global().Get(bridge), c.Core, new(Tables), uint32(c.ArenaBase())}
	return Attach(c, h, hotness, Config{Strict: strict, Asks: asks, Tepid: tepid, Patience: patience})
}

// browser is a Host whose memory is the program's own, in which nothing on the heap
// moves.
type browser struct {
	bridge js.Value
	core   *cpu.Core
	tables *Tables
	ram    uint32
}

// Layout implements Host.
func (b *browser) Layout() Layout {
	// SAFETY: what addresses are made of stays referred to from here as long as
	// code may use them.
	return Layout{
		Core: uint32(uintptr(unsafe.Pointer(b.core))), RAM: b.ram,
		Tables: uint32(uintptr(unsafe.Pointer(b.tables))), Shared: b.tables,
	}
}

// Load implements Host.
func (b *browser) Load(code []byte, _ []uint32) error {
	bytes := js.Global().Get("Uint8Array").New(len(code))
	js.CopyBytesToJS(bytes, code)
	if wrong := b.bridge.Call("load", bytes); wrong.Truthy() {
		return errors.New(wrong.String())
	}
	return nil
}

// Drop implements Host.
func (b *browser) Drop(places []uint32) {
	list := make([]any, len(places))
	for i, p := range places {
		list[i] = p
	}
	b.bridge.Call("drop", list)
}

// Enter implements Host.
func (b *browser) Enter(core, tlb, pc, fn uint32) uint32 { return enter(core, tlb, pc, fn) }

// Close implements Host.
func (b *browser) Close() { b.Drop([]uint32{dispatchPlace}) }
