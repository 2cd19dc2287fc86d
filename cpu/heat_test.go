package cpu

import (
	"testing"

	"alpinevm/cpu/mem"
)

// never is a Backend that translates nothing and counts what it is asked for.
type never struct {
	hot  int
	soon bool // it says that it is going to
}

func (n *never) Run(hot bool) Rest {
	if hot {
		n.hot++
		if n.soon {
			return Waiting
		}
		return Untranslatable
	}
	return Untranslated
}
func (*never) FlushTLB(bool)                     {}
func (*never) FlushPage(uint32)                  {}
func (*never) ProtectPage(uint32)                {}
func (*never) CodeWritten(uint32, uint32) uint64 { return 0 }
func (*never) Lines(uint32) uint64               { return 0 }

// rigOf is a rig whose back end is n, from a threshold of 8 executions on.
func rigOf(t *testing.T, n *never) *rig {
	r := newRig(t)
	r.Attach(n, 8)
	t.Cleanup(func() { r.Attach(nil, 0) })
	return r
}

// TestWaiting: a back end that lets a block wait is asked again when that has become
// hot once more, not at each of its executions.
func TestWaiting(t *testing.T) {
	for _, soon := range []bool{false, true} {
		n := &never{soon: soon}
		r := rigOf(t, n)
		r.put(rigCode, 0x40, 0xeb, 0xfd) // INC EAX; JMP to it
		r.EIP = rigCode
		r.CPU.Run(2 * 800)
		want := 1
		if soon {
			want = 800 / 9 // the threshold is 8, and what is hot is executed once more
		}
		if n.hot != want {
			t.Errorf("waiting %v: asked %d times in 800 executions, want %d", soon, n.hot, want)
		}
	}
}

// TestHeatOutlivesFlush has a block become hot over several flushes of the cache,
// and lose its heat only with its code.
func TestHeatOutlivesFlush(t *testing.T) {
	n := &never{}
	r := rigOf(t, n)
	execute := func() {
		r.EIP = rigCode
		r.CPU.Run(2)
	}
	r.put(rigCode, 0x40, 0xeb, 0xfd) // INC EAX; JMP to it
	for range 5 {
		execute()
		r.flushBlocks()
	}
	if got := r.Heat(rigCode); got != 5 {
		t.Errorf("after 5 executions and flushes the heat is %d", got)
	}
	for range 4 {
		execute()
		r.flushBlocks()
	}
	if n.hot != 1 {
		t.Errorf("the back end was asked %d times about a block that is hot", n.hot)
	}
	execute() // so that the cache has it
	r.mem.Store(rigCode, []byte{0x41})
	r.flushBlocks()
	if got := r.Heat(rigCode); got != 0 {
		t.Errorf("behind a write to it the heat is %d", got)
	}
}

// TestHeatMoves: heat is the code's, wherever that lies at the same place in a page,
// and outlives a change of all of the page, not of a few bytes.
func TestHeatMoves(t *testing.T) {
	const other = rigCode + 2*mem.PageSize
	for _, tt := range []struct {
		name  string
		bytes int // of the page that change
		want  uint8
	}{
		{"all of the page", mem.PageSize, 5},
		{"what counts as all of it", Renewed, 5},
		{"a few bytes", 4, 0},
	} {
		r := rigOf(t, &never{})
		r.put(rigCode, 0x40, 0xeb, 0xfd) // INC EAX; JMP to it
		for range 5 {
			r.EIP = rigCode
			r.CPU.Run(2)
		}
		r.mem.Store(rigCode, make([]byte, tt.bytes))
		r.put(other, 0x40, 0xeb, 0xfd)
		if got := r.Heat(other); got != tt.want {
			t.Errorf("%s: the heat where the code has gone to is %d, want %d", tt.name, got, tt.want)
		}
		for what, at := range map[string]uint32{"something else": rigCode, "another place": other + 64} {
			if got := r.Heat(at); got != 0 {
				t.Errorf("%s: the heat of %s is %d", tt.name, what, got)
			}
		}
		r.put(other+64, 0x40, 0xeb, 0xfd)
		if got := r.Heat(other + 64); got != 0 {
			t.Errorf("%s: the heat of the code at another place in the page is %d", tt.name, got)
		}
	}
}

// TestInterpretDecodesOne has Interpret decode no more than it executes, and keep
// that apart from the blocks that are executed as a whole.
func TestInterpretDecodesOne(t *testing.T) {
	r := rigOf(t, &never{})
	r.put(rigCode, 0x01, 0xc0, 0x01, 0xc0, 0x01, 0xc0, 0xf4) // ADD EAX, EAX thrice; HLT
	r.R[0], r.EIP = 1, rigCode
	r.CPU.Run(0)
	for range 2 {
		r.EIP = rigCode
		r.Interpret()
	}
	if b := r.blocks.lookup(rigCode, r.Mode); b != nil {
		t.Errorf("a block of %d instructions was decoded", b.n)
	}
	if b := r.blocks.lookup(rigCode, r.Mode|alone); b == nil || b.n != 1 || r.blocks.opNext != 1 {
		t.Errorf("%+v, %d ops in use", b, r.blocks.opNext)
	}
	r.EIP = rigCode
	r.CPU.Run(4)
	if b := r.blocks.lookup(rigCode, r.Mode); b == nil || b.n != 4 {
		t.Errorf("the block is %+v", b)
	}
	if r.R[0] != 1<<5 || !r.Halted {
		t.Errorf("EAX is %d", r.R[0])
	}
	r.mem.Store(rigCode, make([]byte, mem.PageSize))
	if r.blocks.lookup(rigCode, r.Mode|alone) != nil {
		t.Error("a block has outlived its code")
	}
}
