//go:build linux && amd64

package amd64_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"alpinevm/cpu/jit"
	"alpinevm/cpu/jit/amd64"
)

// The linear windows onto frames of code: windowPages pages of which each is one of
// windowFrames versions. Those of single pages lie so far apart that their targets of
// jumps share entries; the others are views of a large page, where version f of all
// pages lies together.
const (
	windows      = 4
	windowPages  = 4
	windowFrames = 3
	windowAt     = 8 << 20
	wideWindow   = 4 << 20
	windowFrame  = 0x300000
	windowTable  = 0xa000

	windowPart  = 32    // bytes of one part of a page
	windowParts = 40    // of a page, of which the first has room for what the page before leaves
	windowSub   = 0xf00 // a function of each page
	windowBack  = 0xf20 // a jump

	// Words of the page of data that code looks at.
	dataNext  = guestData + 0x10 // where the last page goes to,
	dataOther = guestData + 0x14 // and where it goes the time after
	dataCall  = guestData + 0x18 // what is called through memory
	dataEnv   = guestData + 0x40 // an x87 environment
)

func word32(b []byte, v uint32) []byte { return binary.LittleEndian.AppendUint32(b, v) }

// windowCode is page k, in a version. What it computes depends on where it is executed:
// addresses that calls push, that x87 instructions leave behind and that jumps are
// computed from, all of which are added up.
func windowCode(k, version int) []byte {
	page := make([]byte, 4096)
	rel := func(b []byte, at, to int) []byte { return word32(b, uint32(to-at-len(b)-4)) }
	copy(page, windowStart(k, version))
	for i := range windowParts {
		at := i * windowPart
		if i == 0 {
			at += 2
		}
		v := uint32(i*0x01010101+k) ^ uint32(version)<<20
		var b []byte
		switch i % 9 {
		case 0:
			b = word32([]byte{0x05}, v)                                              // add eax, v
			b = append(b, 0xa8, byte(1<<(i%8)), 0x74, 2, 0x11, 0xc3, 0xc1, 0xc0, 11) // test al, n; jz over the next; adc ebx, eax; rol eax, 11
		case 1:
			b = []byte{0xe8, 0, 0, 0, 0, 0x5a, 0x01, 0xd0} // call the next; pop edx; add eax, edx
		case 2:
			b = []byte{0xe8, 2, 0, 0, 0, 0xeb, 4, 0x03, 0x1c, 0x24, 0xc3} // call over the jump; jmp to the end; add ebx, [esp]; ret
		case 3:
			b = rel([]byte{0xe8}, at, ((k+1)%windowPages-k)*4096+windowSub) // call the next page's function
			b = word32(append(b, 0x81, 0xc3), v)                            // add ebx, v
		case 4:
			b = []byte{0xe8, 0, 0, 0, 0, 0x5a, 0x83, 0xc2, 8, 0xff, 0xe2, 0x90, 0x90, 0x31, 0xd0} // call the next; pop edx; add edx, 8; jmp edx; 2 nop; xor eax, edx
		case 5:
			b = word32([]byte{0xd9, 0xe8, 0xdd, 0xd8, 0xd9, 0x35}, dataEnv) // fld1; fstp st0; fnstenv
			b = word32(append(b, 0x03, 0x1d), dataEnv+12)                   // add ebx, FIP
		case 6:
			b = []byte{0x80, 0x45, 0, 1} // add byte [ebp], 1
		case 7:
			b = word32([]byte{0xff, 0x15}, dataCall) // call [dataCall]
			b = word32(append(b, 0x81, 0xf3), v)     // xor ebx, v
		case 8:
			b = rel([]byte{0x39, 0xd8, 0x0f, 0x82}, at, windowBack) // cmp eax, ebx; jc to what comes back to the last one
			binary.LittleEndian.PutUint32(page[windowBack+1:], uint32(at+len(b)-(windowBack+5)))
		}
		copy(page[at:], b)
		for j := at + len(b); j < (i+1)*windowPart; j++ {
			page[j] = 0x90
		}
	}
	sub := word32([]byte{0x03, 0x04, 0x24, 0xc1, 0xc0, 3, 0x81, 0xf3}, uint32(k+version)) // add eax, [esp]; rol eax, 3; xor ebx, version
	copy(page[windowSub:], append(sub, 0xc3))
	page[windowBack] = 0xe9
	end := windowParts * windowPart
	last := windowEnd(k, version)
	copy(page[end:], rel([]byte{0xe9}, end, 4096-len(last)))
	copy(page[4096-len(last):], last)
	return page
}

// windowEnd is what leads from page k to the next: a call at the very end, which returns
// there, and instructions that reach into it, of which one calls as well. The last page
// goes to one window and another in turns.
func windowEnd(k, version int) []byte {
	switch k {
	case 0:
		return word32([]byte{0xe8}, windowSub)
	case 1:
		return []byte{0x05, byte(version), 0x33} // add eax, of the next page as well
	case 2:
		return append(word32([]byte{0x8b, 0x15}, dataCall), 0xff) // mov edx, [dataCall]; call edx, or inc edx
	}
	b := word32([]byte{0x8b, 0x15}, dataNext)    // mov edx, [dataNext]
	b = word32(append(b, 0x87, 0x15), dataOther) // xchg edx, [dataOther]
	b = word32(append(b, 0x89, 0x15), dataNext)  // mov [dataNext], edx
	return append(b, 0xff, 0xe2, 0x90, 0x90)     // jmp edx
}

// windowStart is what page k begins with, 2 bytes.
func windowStart(k, version int) []byte {
	if k == windowPages-1 {
		return []byte{[]byte{0xd2, 0xc2}[version&1], 0x90}
	}
	return []byte{0x04, byte(version)} // add al, version
}

func windowFrameAt(k, f int) uint32 { return windowFrame + uint32(f*windowPages+k)<<12 }

// window is the linear address of page k of a window: of single pages, and then of a
// large one.
func window(w, k int) uint32 {
	if w < windows {
		return windowAt + uint32(w)<<20 + uint32(k)<<12
	}
	return wideWindow + windowFrameAt(k, w-windows)
}

// windowed makes all of that and sets out to execute it.
func (g *guest) windowed(t *testing.T) {
	t.Helper()
	const directory, flags, large = 0x9000, 7, 1<<7 | 7 // present, writable, the user's
	g.WriteCode(directory, word32(word32(word32(nil, large), large), windowTable|flags))
	g.WriteCode(windowTable, make([]byte, 4096))
	for k := range windowPages {
		for f := range windowFrames {
			g.WriteCode(windowFrameAt(k, f), windowCode(k, f))
		}
		for w := range windows {
			g.mapWindow(w, k, 0, flags)
		}
	}
	g.WriteCode(guestCode, []byte{0x0f, 0x01, 0x3e, 0x0f, 0x22, 0xd9}) // invlpg [esi]; mov cr3, ecx
	g.goOn(0, 0)
	g.WriteCode(dataCall, word32(nil, window(0, 0)+windowSub))
	g.CR3, g.CR0, g.CR4 = directory, g.CR0|1<<31, g.CR4|1<<4|1<<7 // PSE, PGE
	g.R[5], g.EIP = guestData, window(0, 0)+2
	g.Reload()
}

// windowEntry is the table entry of a page.
func windowEntry(w, k int) uint32 { return windowTable + window(w, k)>>12&1023*4 }

// goOn makes the last page go to two windows in turns.
func (g *guest) goOn(one, other int) {
	g.WriteCode(dataNext, word32(word32(nil, window(one, 0)+2), window(other, 0)+2))
}

// mapWindow writes the table entry of a page, and no more than that.
func (g *guest) mapWindow(w, k, f int, flags uint32) {
	g.WriteCode(windowEntry(w, k), word32(nil, windowFrameAt(k, f)|flags))
}

// flush makes the processor forget the page of lin: by INVLPG, by a load of CR3, which
// leaves global ones, or altogether.
func (g *guest) flush(how int, lin uint32) {
	const invlpg, loadCR3 = 1, 2
	if how != invlpg && how != loadCR3 || g.CPL != 0 {
		g.Reload()
		return
	}
	eip, esi, ecx := g.EIP, g.R[6], g.R[1]
	g.R[6], g.R[1], g.EIP = lin, g.CR3, guestCode
	if how == loadCR3 {
		g.EIP += 3
	}
	g.Run(1)
	g.EIP, g.R[6], g.R[1] = eip, esi, ecx
}

// goTo changes the privilege level.
func (g *guest) goTo(cpl uint8) {
	for i := range g.Seg {
		s := &g.Seg[i]
		s.Sel = s.Sel&^3 | uint16(cpl)
		s.Attr = s.Attr&^(3<<5) | typeOfDPL(cpl)
	}
	g.CPL = cpl
	g.Reload()
}

// alias maps the first 4 MB of memory twice, one behind the other.
func (g *guest) alias(*testing.T) {
	const directory, large = 0x9000, 1<<7 | 7 // present, writable, the user's
	g.WriteCode(directory, word32(word32(nil, large), large))
	g.CR4 |= 1 << 4 // PSE
	g.CR3, g.CR0 = directory, g.CR0|1<<31
	g.Reload()
}

// TestAddresses: code that has been translated at one linear address serves at another
// one, where it is not translated again, and hardly anything is linked again.
func TestAddresses(t *testing.T) {
	const functions, away = 200, 4 << 20
	const round = functions * 8 // instructions
	guests, tr := pair(t, 8, jit.Config{Strict: true}, func(g *guest, t *testing.T) {
		g.WriteCode(guestCode, ring(functions, 3))
		g.alias(t)
	})
	for _, step := range []struct {
		name string
		at   uint32 // where the code is executed
	}{{"at first", 0}, {"elsewhere", away}, {"there again", 0}, {"elsewhere again", away}} {
		before := tr.Stats
		for _, g := range guests {
			g.EIP = guestCode + step.at
			g.Reload()
			g.Run(20 * round)
		}
		compareGuests(t, guests[0].CPU, guests[1].CPU, true)
		if tr.Stats.Insts != round {
			t.Errorf("%s: %d instructions have been translated, want %d", step.name, tr.Stats.Insts, round)
		}
		if exits := tr.Stats.Edge - before.Edge; step.name != "at first" && exits > functions/10 {
			t.Errorf("%s: %d edges have left", step.name, exits)
		}
	}
}

// TestAddressesOfAll is TestAddresses for all that computes with addresses: hardly
// anything is translated behind the first rounds, or leaves because another page follows.
func TestAddressesOfAll(t *testing.T) {
	guests, tr := pair(t, 0, jit.Config{Strict: true}, (*guest).windowed)
	for w := range windows + 1 {
		before := tr.Stats
		for _, g := range guests {
			g.goOn(w, (w+1)%(windows+1))
			g.Run(50000)
		}
		compareGuests(t, guests[0].CPU, guests[1].CPU, true)
		insts, pages, edges := tr.Stats.Insts-before.Insts, tr.Stats.Pages-before.Pages, tr.Stats.Edge-before.Edge
		if w > 0 && (insts > 100 || pages > 100 || edges > 100) {
			t.Errorf("window %d: %d instructions were translated, %d blocks left for their second page, %d edges", w, insts, pages, edges)
		}
	}
}

// TestSecondPages writes pages anew that instructions reach into, some with something
// else: what they lead to, and is led to by, does not leave each time it is executed.
func TestSecondPages(t *testing.T) {
	guests, tr := pair(t, 0, jit.Config{Strict: true}, (*guest).windowed)
	seen := map[int]bool{}
	for step, version := range []int{0, 0, 1, 1, 0, 2} {
		before, known := tr.Stats, seen[version]
		seen[version] = true
		for _, g := range guests {
			for k := range windowPages {
				v := 0
				if k%2 == 1 {
					v = version
				}
				g.WriteCode(windowFrameAt(k, 0), make([]byte, 4096))
				g.WriteCode(windowFrameAt(k, 0), windowCode(k, v))
			}
			g.goOn(0, 1)
			g.Run(50000)
		}
		compareGuests(t, guests[0].CPU, guests[1].CPU, true)
		insts, pages, edges := tr.Stats.Insts-before.Insts, tr.Stats.Pages-before.Pages, tr.Stats.Edge-before.Edge
		if pages > 10 || known && (edges > 50 || insts > 100) {
			t.Errorf("step %d: %d instructions were translated, %d blocks left for their second page, %d edges", step, insts, pages, edges)
		}
	}
}

// TestAddressesAtRandom maps frames at several linear addresses, with flags of chance,
// and changes mappings, frames, addresses and the privilege level at random.
func TestAddressesAtRandom(t *testing.T) {
	steps := 3000
	if testing.Short() {
		steps = 600
	}
	for _, tt := range []struct {
		name      string
		threshold uint8
		cfg       jit.Config
	}{
		{"all", 0, jit.Config{Strict: true, Eager: true}},
		{"what is hot", 3, jit.Config{Strict: true}},
		{"old processor", 2, jit.Config{Strict: true, Plain: true}},
		{"little room", 1, jit.Config{Strict: true, Eager: true, Blocks: 64}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			guests, tr := pair(t, tt.threshold, tt.cfg, (*guest).windowed)
			r := rand.New(rand.NewPCG(uint64(tt.threshold), 17))
			anywhere := func() (w, k int) { return r.IntN(windows + windowFrames), r.IntN(windowPages) }
			for step := range steps {
				what, k, f, n, version := r.IntN(12), r.IntN(windowPages), r.IntN(windowFrames), 1+r.IntN(1500), r.IntN(4)
				w, how, flags := r.IntN(windows), r.IntN(3), uint32(5|r.IntN(2)<<8|r.IntN(2)<<1)
				to, at := r.IntN(windows+windowFrames), r.IntN(4096)
				toW, toK := anywhere()
				for _, g := range guests {
					switch what {
					case 0, 1, 2, 3: // another mapping
						if g.CPL == 3 {
							flags |= 2 // where it writes
						}
						old := binary.LittleEndian.Uint32(g.CodeBytes(windowEntry(w, k), 4))
						g.mapWindow(w, k, f, flags)
						if how == 2 && old&(1<<8) != 0 {
							g.flush(1, window(w, k))
						} else {
							g.flush(how, window(w, k))
						}
					case 4, 5:
						g.goOn(to, toW)
					case 6:
						g.WriteCode(dataCall, word32(nil, window(toW, toK)+windowSub))
					case 7:
						g.WriteCode(windowFrameAt(k, f), windowCode(k, version))
					case 8: // one constant
						g.WriteCode(windowFrameAt(k, f)+uint32(at%windowParts/9*9*windowPart)+3, []byte{byte(step)})
					case 9: // what code writes to: a constant, by any of its addresses, or data
						g.R[5] = guestData
						if step%2 == 0 {
							g.R[5] = window(toW, toK) + uint32(1+at%4)*9*windowPart + 1
						}
					case 10:
						if version == 0 {
							for i := range windowPages {
								for v := range windows {
									g.mapWindow(v, i, f, 7)
								}
							}
							g.goTo(3 - g.CPL)
						}
					}
					g.Run(n)
				}
				compareGuests(t, guests[0].CPU, guests[1].CPU, true)
				if frames := func(g *guest) []byte { return g.CodeBytes(windowFrame, windowFrames*windowPages<<12) }; !bytes.Equal(frames(guests[0]), frames(guests[1])) {
					t.Error("code differs")
				}
				if t.Failed() || guests[0].Halted || guests[0].Retired == 0 {
					t.Fatalf("step %d: %d to frame %d of page %d, window %d, flags %x, how %d; then %d instructions", step, what, f, k, w, flags, how, n)
				}
			}
			if s := &tr.Stats; s.Woken == 0 || s.Insts == 0 || s.Entries > guests[1].Retired/4 {
				t.Errorf("%d blocks woken, %d instructions translated, %d entries", s.Woken, s.Insts, s.Entries)
			} else {
				t.Logf("%d blocks translated, %d woken, %d evicted, %d entries, %d instructions", s.Blocks, s.Woken, s.Evicted, s.Entries, guests[1].Retired)
			}
		})
	}
}

func typeOfDPL(cpl uint8) uint16 { return uint16(cpl) << 5 }

// pair is an interpreter and a translator with the same guest.
func pair(t *testing.T, threshold uint8, cfg jit.Config, prepare func(*guest, *testing.T)) (guests []*guest, tr *jit.Translator) {
	t.Helper()
	if err := amd64.Supported(); err != nil {
		t.Skip("not here: ", err)
	}
	plain, tested := newGuest(t, 8<<20, nil), newGuest(t, 8<<20, nil)
	prepare(plain, t)
	prepare(tested, t)
	tr, err := amd64.Attach(tested.CPU, threshold, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		tested.Attach(nil, 0)
		tr.Close()
	})
	return []*guest{plain, tested}, tr
}
