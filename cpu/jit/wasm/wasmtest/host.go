// Package wasmtest runs translated code natively, on wazero: for tests of package
// wasm, and of package cpu with it.
package wasmtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"alpinevm/cpu"
	"alpinevm/cpu/jit/wasm"
)

const wasmPage = 64 << 10

// Host is a wasm.Host whose memory is the arena of a CPU. At its end, where a
// machine of a test has no ROM, lie a copy of the Core while code runs, and the
// tables.
type Host struct {
	ctx     context.Context
	runtime wazero.Runtime
	enter   api.Function
	stack   [4]uint64
	modules map[uint32][]api.Module // by the first of their places
	loads   int
	core    *cpu.Core
	image   *cpu.Core
	layout  wasm.Layout
}

// arena is the memory that wazero gets.
type arena []byte

func (a arena) Reallocate(size uint64) []byte {
	if size > uint64(len(a)) {
		return nil
	}
	return a[:size]
}

func (arena) Free() {}

// Attach gives c a translator at threshold 0 whose code runs on wazero: compiled, or
// slower but without machine code, and quick to make. detach ends that.
func Attach(c *cpu.CPU, compiled bool, cfg wasm.Config) (t *wasm.Translator, detach func(), err error) {
	h, err := New(c, compiled, wasm.Places(cfg.Kept))
	if err != nil {
		return nil, nil, err
	}
	t, err = wasm.Attach(c, h, 0, cfg)
	if err != nil {
		return nil, nil, err
	}
	return t, func() {
		c.Attach(nil, 0)
		_ = t.Close()
	}, nil
}

// New makes a host of the memory of c, with so many places for functions.
func New(c *cpu.CPU, compiled bool, places uint32) (*Host, error) {
	cfg := wazero.NewRuntimeConfigInterpreter()
	if compiled {
		cfg = wazero.NewRuntimeConfig()
	}
	n := uint32(c.ArenaPages()-1) << 12 &^ (wasmPage - 1)
	memory := arena(c.CodeBytes(0, n))
	h := &Host{runtime: wazero.NewRuntimeWithConfig(context.Background(), cfg), modules: map[uint32][]api.Module{}, core: c.Core}
	h.ctx = experimental.WithMemoryAllocator(context.Background(), experimental.MemoryAllocatorFunc(
		func(uint64, uint64) experimental.LinearMemory { return memory }))
	h.layout.Core = (n - uint32(unsafe.Sizeof(cpu.Core{}))) &^ 63
	h.layout.Tables = h.layout.Core - uint32(unsafe.Sizeof(wasm.Tables{}))&^63 - 64
	// SAFETY: both lie in the arena, aligned, in its last pages, which are kept
	// for ROM; it is not in the Go heap, and stays until the machine is closed.
	h.image = (*cpu.Core)(unsafe.Pointer(&memory[h.layout.Core]))
	h.layout.Shared = (*wasm.Tables)(unsafe.Pointer(&memory[h.layout.Tables]))
	m, err := h.runtime.InstantiateWithConfig(h.ctx, wasm.Base(n/wasmPage, places), wazero.NewModuleConfig().WithName(wasm.ImportModule))
	if err != nil {
		return nil, err
	}
	if h.enter = m.ExportedFunction(wasm.ExportEnter); h.enter == nil {
		return nil, errors.New("the base module exports no way in")
	}
	return h, nil
}

// Layout implements wasm.Host.
func (h *Host) Layout() wasm.Layout { return h.layout }

// Load implements wasm.Host. The engine validates the module. It lets nobody else put
// functions into a table, so another module does.
func (h *Host) Load(code []byte, places []uint32) error {
	h.loads++
	name := fmt.Sprint("module ", h.loads)
	if h.loads == 1 {
		name = wasm.ImportDispatch
	}
	for _, m := range []struct {
		code []byte
		name string
	}{{code, name}, {putter(name, places), ""}} {
		i, err := h.runtime.InstantiateWithConfig(h.ctx, m.code, wazero.NewModuleConfig().WithName(m.name))
		if err != nil {
			return err
		}
		h.modules[places[0]] = append(h.modules[places[0]], i)
	}
	return nil
}

// Drop implements wasm.Host.
func (h *Host) Drop(places []uint32) {
	for _, m := range slices.Backward(h.modules[places[0]]) {
		_ = m.Close(h.ctx)
	}
	delete(h.modules, places[0])
}

// Enter implements wasm.Host.
func (h *Host) Enter(core, tlb, pc, fn uint32) uint32 {
	*h.image = *h.core
	h.stack = [4]uint64{uint64(core), uint64(tlb), uint64(pc), uint64(fn)}
	if err := h.enter.CallWithStack(h.ctx, h.stack[:]); err != nil {
		panic("BUG: generated code has trapped: " + err.Error())
	}
	*h.core = *h.image
	return uint32(h.stack[0])
}

// Close implements wasm.Host.
func (h *Host) Close() { _ = h.runtime.Close(h.ctx) }
