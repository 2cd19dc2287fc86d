package wasm

import "alpinevm/cpu/mem"

// restless is what is known of an arena page whose code changes: how often it did,
// and how often it was asked for since.
type restless struct{ changes, asked uint32 }

// Code that changes time and again is translated ever more reluctantly: translating
// costs thousands of times what interpreting does.
const (
	maxReluctance = 10      // of the logarithm of how often it is asked for in vain
	maxRestless   = 1 << 12 // pages that are known
)

// worth says whether code in the arena page at off is to be translated, and counts
// that it was asked for.
func (t *Translator) worth(off uint32) bool {
	off &^= 0xfff
	r, ok := t.restless[off]
	if !ok {
		return true
	}
	r.asked++
	t.restless[off] = r
	return r.asked >= 1<<min(r.changes, maxReluctance)
}

// changed notes that translated code in the page has.
func (t *Translator) changed(off uint32) {
	if len(t.restless) >= maxRestless {
		clear(t.restless)
	}
	r := t.restless[off]
	t.restless[off] = restless{changes: r.changes + 1}
}

// CodeWritten voids the regions with code in the lines of n bytes at arena offset
// off, which are about to change; they lie in one page. It gives the lines of that
// page that still hold translated code.
func (t *Translator) CodeWritten(off, n uint32) (left uint64) {
	s := &t.store
	page, hit := off&^0xfff, mem.Lines(off, n)
	if s.linesOf(page)&hit == 0 {
		return s.linesOf(page)
	}
	t.changed(page)
	list := append([]uint32(nil), s.pages[page]...)
	for _, fn := range list {
		for _, p := range s.regions[fn].pages {
			if p.off == page && p.mask&hit != 0 {
				s.kill(fn)
				break
			}
		}
	}
	return s.linesOf(page)
}

// Lines gives the lines of an arena page that hold translated code.
func (t *Translator) Lines(off uint32) uint64 { return t.store.linesOf(off &^ 0xfff) }

// FlushTLB forgets all translations, or all but global ones.
func (t *Translator) FlushTLB(global bool) { t.cache.flush(global) }

// FlushPage forgets the translation of the page of lin, and all parts of a large page
// around it.
func (t *Translator) FlushPage(lin uint32) { t.cache.flushPage(lin) }

// ProtectPage takes the right to write from all translations to an arena page.
func (t *Translator) ProtectPage(off uint32) { t.cache.protect(off) }
