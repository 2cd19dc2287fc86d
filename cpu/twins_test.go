package cpu

import (
	"bytes"
	"testing"

	"alpinevm/cpu/mem"
)

// twins are two rigs that were set up alike: plain interprets, one instruction
// at a time and from code that is decoded anew for each, so that it is right by
// its simplicity; tested runs on the engine under test.
type twins struct {
	t             testing.TB
	plain, tested *rig
}

// newTwins makes them by setup.
func newTwins(t testing.TB, setup func(r *rig)) *twins {
	t.Helper()
	w := &twins{t: t, tested: newRig(t)}
	attach := attachEngine
	attachEngine = func(testing.TB, *CPU) {}
	w.plain = newRig(t)
	attachEngine = attach
	setup(w.plain)
	setup(w.tested)
	return w
}

// each does the same to both.
func (w *twins) each(f func(r *rig)) {
	f(w.plain)
	f(w.tested)
}

// slowly runs n instructions, or up to a HLT, with nothing cached.
func (r *rig) slowly(n int) {
	for end := r.Retired + uint64(n); r.Retired < end; {
		before := r.Retired
		r.flushBlocks()
		if x := r.CPU.Run(1); x.Reason != Budget || r.Retired == before {
			return
		}
	}
}

// run runs n instructions on both, on the tested one slice by slice, and
// compares.
func (w *twins) run(n, slice int) {
	w.t.Helper()
	w.plain.slowly(n)
	for done := 0; done < n; done += slice {
		w.tested.CPU.Run(min(slice, n-done))
	}
	w.compare()
}

// compare compares all that a guest or a device can see, but for memory.
func (w *twins) compare() {
	w.t.Helper()
	a, b := seen(w.plain.CPU), seen(w.tested.CPU)
	if a != b {
		w.t.Fatalf("%d retired, EIP %x, R %x, EFLAGS %x, faults %s\ninterpreter, step by step: %d, %x, %x, %x, %s\n%+v %+v %+v\n%+v %+v %+v",
			b.Retired, b.EIP, b.R[:8], b.EFLAGS(), w.tested.all(), a.Retired, a.EIP, a.R[:8], a.EFLAGS(), w.plain.all(), b.Seg, b.FPU, b.DR, a.Seg, a.FPU, a.DR)
	}
	if a, b := w.plain.all(), w.tested.all(); a != b {
		w.t.Fatalf("delivered %s, interpreter %s", b, a)
	}
}

// compareRAM compares the pages at the given addresses, all of them without any.
func (w *twins) compareRAM(pages ...uint32) {
	w.t.Helper()
	if pages == nil {
		for off := uint32(0); off < rigRAM; off += mem.PageSize {
			pages = append(pages, off)
		}
	}
	for _, off := range pages {
		off &^= mem.PageSize - 1
		a, b := w.plain.ram.Bytes(off, mem.PageSize), w.tested.ram.Bytes(off, mem.PageSize)
		if bytes.Equal(a, b) {
			continue
		}
		for i := range a {
			if a[i] != b[i] {
				w.t.Fatalf("[%x] is %x, interpreter %x", off+uint32(i), b[i], a[i])
			}
		}
	}
}

// seen is the state without what engines may keep each in its way.
func seen(c *CPU) State {
	s := c.Save()
	s.Paused, s.Fault = 0, Fault{}
	s.SetArith(s.Arith())
	return s
}
