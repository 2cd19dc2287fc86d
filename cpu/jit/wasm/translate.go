package wasm

import (
	"slices"

	"alpinevm/cpu"
	"alpinevm/cpu/mem"
)

// translate makes a function of the region around EIP, and sooner or later a module
// of that and others. It says why there is nothing to enter yet.
func (t *Translator) translate(eip uint32) cpu.Rest {
	off, ok := t.fetch(eip)
	if !ok {
		return cpu.Untranslatable
	}
	if t.store.find(off) != 0 { // it waits
		t.load()
		return cpu.Waiting
	}
	if !t.worth(off) {
		return cpu.Unsettled
	}
	if !t.asked.often(off, t.cfg.Asks) {
		return cpu.Waiting
	}
	if !t.gather(eip) {
		return cpu.Untranslatable
	}
	fn := t.place()
	body := t.emit.function(&t.region, fn)
	if body == nil {
		t.store.spare = append(t.store.spare, fn)
		return cpu.Untranslatable
	}
	t.keep(fn)
	if len(t.pending) == 0 {
		t.waited = t.cpu.Retired
	}
	t.pending, t.waiting, t.aes = append(t.pending, body), append(t.waiting, fn), t.aes || t.emit.aes
	t.load()
	return cpu.Waiting
}

// place gives the place of the next function in the table, having made room for
// it.
func (t *Translator) place() uint32 {
	for len(t.store.modules) < maxModules {
		if fn, ok := t.store.place(); ok {
			return fn
		}
		t.evict()
	}
	t.evict()
	return t.place()
}

// keep enters the region that was gathered into the store, and marks its code.
func (t *Translator) keep(fn uint32) {
	r := &t.store.regions[fn]
	*r = kept{valid: true, exits: append([]exit(nil), t.emit.exits...)}
	add := func(off, n uint32) {
		t.cpu.MarkCode(off, n)
		mask := mem.Lines(off, n)
		for i := range r.pages {
			if r.pages[i].off == off&^0xfff {
				r.pages[i].mask |= mask
				return
			}
		}
		r.pages = append(r.pages, lines{off &^ 0xfff, mask})
	}
	for i := range t.region.blocks {
		b := &t.region.blocks[i]
		first := min(b.size(), mem.PageSize-b.off%mem.PageSize)
		add(b.off, first)
		if b.cross {
			add(b.off2, b.size()-first)
		}
		t.store.enter(entry{eip: b.eip, off: b.off, fn: fn, pc: uint32(i)})
		t.Stats.Blocks++
		t.Stats.Insts += uint64(len(b.insts))
	}
	t.store.list(fn)
	t.Stats.Regions++
}

// load makes a module of what waits, once that is enough, or has waited for long.
func (t *Translator) load() {
	if len(t.pending) == 0 || len(t.pending) < t.cfg.Regions && t.cpu.Retired-t.waited < t.cfg.Patience {
		return
	}
	m := module{funcs: t.pending, places: slices.Clone(t.waiting)}
	if t.aes {
		m.funcs = slices.Concat(aesFunctions, m.funcs)
	}
	code := m.encode()
	if err := t.host.Load(code, m.places); err != nil {
		panic("BUG: the host refuses a module: " + err.Error())
	}
	for _, fn := range m.places {
		for _, i := range t.store.regions[fn].entries {
			t.store.entries[i].loaded = true
		}
	}
	t.store.modules = append(t.store.modules, m.places)
	t.watch()
	t.Stats.Modules++
	t.Stats.Bytes += uint64(len(code))
	t.pending, t.waiting, t.aes = t.pending[:0], t.waiting[:0], false
}

// watch begins to look which functions are entered, once a quarter of the room is left.
func (t *Translator) watch() {
	if t.store.much() {
		if !t.watched {
			clear(t.layout.Shared.Used[:])
		}
		t.watched = true
	}
}

// evict forgets a third of the modules: the oldest of those whose functions nobody has
// entered since that was watched, and the oldest of the others if these are too few.
func (t *Translator) evict() {
	s, used := &t.store, &t.layout.Shared.Used
	left := (len(s.modules) + 2) / 3
	for _, spared := range []bool{true, false} {
		s.modules = slices.DeleteFunc(s.modules, func(places []uint32) bool {
			if left == 0 || spared && slices.ContainsFunc(places, func(fn uint32) bool { return used[fn] }) {
				return false
			}
			left--
			t.drop(places)
			return true
		})
	}
	t.watched = false
}

// drop forgets a module.
func (t *Translator) drop(places []uint32) {
	s := &t.store
	for _, fn := range places {
		if r := &s.regions[fn]; r.valid {
			for _, i := range r.entries {
				t.cpu.Cool(s.entries[i].off, true)
				t.cpu.Cool(s.entries[i].off, false)
				t.asked.forget(s.entries[i].off)
			}
			s.kill(fn)
			t.Stats.Dropped++
		}
		s.regions[fn] = kept{}
	}
	s.spare = append(s.spare, places...)
	t.host.Drop(places)
}
