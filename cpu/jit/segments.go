package jit

import "alpinevm/cpu"

// Loads of segment registers: kernels load the same few selectors at each entry.
// Generated code remembers what they have loaded, and takes it again where the
// descriptor, which it reads, has not changed.

// checkSegments forgets all where the GDT is another one.
func (t *Translator) checkSegments() {
	if t.gdtr != t.cpu.GDTR {
		t.gdtr = t.cpu.GDTR
		clear(t.mem.Segs[:])
		clear(t.mem.Crossings[:])
	}
}

// learnSegment remembers what the interpreter has loaded, if loaded, where
// generated code has found nothing to load.
func (t *Translator) learnSegment(loaded bool) {
	load := t.mem.Load
	t.mem.Load = 0
	if load == 0 || !loaded {
		return
	}
	sel, key := uint16(load), load&^(15<<24)
	s := t.cpu.Seg[load>>24&15&7]
	const flat = cpu.FastFlat | cpu.FastRead | cpu.FastWrite
	if key&keyFlat != 0 && s.Fast != flat {
		return
	}
	if lin, raw, ok := t.cpu.Descriptor(sel); ok {
		t.mem.Segs[SegmentIndex(key)] = Segment{Raw: raw, Key: key, Lin: lin, Seg: s}
		t.fill(cpu.HalfSystem, lin)
	}
}
