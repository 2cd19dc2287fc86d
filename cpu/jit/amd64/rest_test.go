//go:build linux && amd64

package amd64_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"alpinevm/cpu/jit"
)

// The linear pages whose frames are changed, and the frames, which are as many
// for each.
const (
	movedPages  = 4
	movedFrames = 3
	movedAt     = 0x200000
	movedFrame  = 0x300000
	movedTable  = 0xa000
	// movedSize is what one part of a page has in bytes, movedParts how many
	// there are of them before the jump to the next page.
	movedSize  = 24
	movedParts = 40
)

// paged maps the first 4 MB page by page, and sets out to execute the moved ones.
func (g *guest) paged(t *testing.T) {
	const directory, flags = 0x9000, 7 // present, writable, the user's
	table := make([]byte, 4096)
	for i := range uint32(1024) {
		binary.LittleEndian.PutUint32(table[i*4:], i<<12|flags)
	}
	g.WriteCode(directory, binary.LittleEndian.AppendUint32(nil, movedTable|flags))
	g.WriteCode(movedTable, table)
	for k := range movedPages {
		g.WriteCode(frame(k, 0), movedPage(k, 0))
		g.place(k, 0)
	}
	g.CR3, g.CR0 = directory, g.CR0|1<<31
	g.EIP = movedAt
	g.Reload()
}

func frame(k, f int) uint32 { return movedFrame + uint32(k*movedFrames+f)<<12 }

// place maps linear page k to one of its frames.
func (g *guest) place(k, f int) {
	g.WriteCode(movedTable+uint32(movedAt>>12+k)*4, binary.LittleEndian.AppendUint32(nil, frame(k, f)|7))
	g.Reload()
}

// movedPage is a page of parts that fall through into the next one, and skip half of
// themselves now and then; the last one jumps to the next page. Versions differ in one
// part; 0 has none of its own.
func movedPage(k, version int) []byte {
	page := make([]byte, 4096)
	for i := range movedParts {
		v := uint32(i*0x01010101 + k)
		if version > 0 && i == version*7%movedParts {
			v += uint32(version) << 16
		}
		b := binary.LittleEndian.AppendUint32([]byte{0x05}, v)              // add eax, v
		b = append(b, 0xa8, byte(1<<(i%8)), 0x74, 8)                        // test al, n; jz over 8 bytes
		b = binary.LittleEndian.AppendUint32(append(b, 0x81, 0xf3), v*3)    // xor ebx, 3v
		b = append(b, 0x11, 0xc3, 0xc1, 0xc0, byte(i%31+1), 0x8d, 0x54, 11) // adc ebx, eax; rol eax, n; lea edx, [ebx+ecx+7]
		b = append(b, 7)
		copy(page[i*movedSize:], b)
		for j := len(b); j < movedSize; j++ {
			page[i*movedSize+j] = 0x90
		}
	}
	at := movedParts * movedSize
	to := (k+1)%movedPages*4096 - k*4096 - at - 5
	copy(page[at:], binary.LittleEndian.AppendUint32([]byte{0xe9}, uint32(to)))
	return page
}

// TestRest: where the same code comes into another frame, or again into the same one,
// nothing is translated again, and what has changed is.
func TestRest(t *testing.T) {
	guests, tr := pair(t, 8, jit.Config{Strict: true}, (*guest).paged)
	const round = movedPages * movedParts * 8 // instructions at most
	written := movedPage(2, 0)
	written[1] ^= 0x55
	insts, woken := uint64(0), uint64(0)
	for _, step := range []struct {
		name             string
		do               func(g *guest)
		rounds           int
		translates, some bool // something is translated; and woken
	}{
		{"at first", func(*guest) {}, 30, true, false},
		{"other frames with the same", func(g *guest) {
			for k := range movedPages {
				g.WriteCode(frame(k, 0), make([]byte, 4096))
				g.WriteCode(frame(k, 1), movedPage(k, 0))
				g.place(k, 1)
			}
		}, 30, false, true},
		{"written anew where they are", func(g *guest) {
			for k := range movedPages {
				g.WriteCode(frame(k, 1), make([]byte, 4096))
				g.WriteCode(frame(k, 1), movedPage(k, 0))
			}
		}, 30, false, true},
		{"a part is another", func(g *guest) { g.WriteCode(frame(1, 1), movedPage(1, 3)) }, 30, true, false},
		{"as it was", func(g *guest) { g.WriteCode(frame(1, 1), movedPage(1, 0)) }, 30, false, true},
		{"a few bytes, and back", func(g *guest) {
			g.WriteCode(frame(2, 1)+1, []byte{0x55})
			g.WriteCode(frame(2, 1), movedPage(2, 0)[:16])
		}, 30, false, true},
		{"a few bytes again", func(g *guest) { g.WriteCode(frame(2, 1)+1, written[1:2]) }, 30, true, false},
		{"all but these has stayed", func(g *guest) { g.WriteCode(frame(2, 1), movedPage(2, 0)[:16]) }, 30, true, false},
		{"a frame gets another use, word by word", func(g *guest) {
			for at := uint32(0); at < 4096; at += 4 {
				g.WriteCode(frame(3, 1)+at, make([]byte, 4))
			}
			g.WriteCode(frame(3, 2), movedPage(3, 0))
			g.place(3, 2)
		}, 30, false, true},
	} {
		for _, g := range guests {
			step.do(g)
			g.Run(step.rounds * round)
		}
		compareGuests(t, guests[0].CPU, guests[1].CPU, true)
		s := &tr.Stats
		if (s.Insts > insts) != step.translates || (s.Woken > woken) != step.some {
			t.Errorf("%s: %d instructions were translated, %d blocks woken", step.name, s.Insts-insts, s.Woken-woken)
		}
		insts, woken = s.Insts, s.Woken
	}
}

// TestManyPages executes code in more pages than there is room for, round and round,
// and lets some of them rest.
func TestManyPages(t *testing.T) {
	const pages, at, rounds = 1500, 1 << 20, 6 // the room is for 1024
	code := func(k int) []byte {
		to := (k+1)%pages*4096 - k*4096 - 10
		return binary.LittleEndian.AppendUint32(append(binary.LittleEndian.AppendUint32([]byte{0x05}, uint32(k)), 0xe9), uint32(to)) // add eax, k; jmp to the next page
	}
	guests, tr := pair(t, 0, jit.Config{Strict: true, Blocks: 64}, func(g *guest, t *testing.T) {
		for k := range pages {
			g.WriteCode(at+uint32(k)<<12, code(k))
		}
		g.EIP = at
		g.Reload()
	})
	for round := range rounds {
		for _, g := range guests {
			for k := round % 2; k < pages; k += 7 {
				g.WriteCode(at+uint32(k)<<12, append(code(k), make([]byte, 4096-10)...))
			}
			g.Run(2*pages + 100)
		}
		compareGuests(t, guests[0].CPU, guests[1].CPU, true)
	}
	if tr.Stats.Evicted == 0 {
		t.Error("there was room for all")
	}
}

// TestRestAtRandom changes frames and mappings at random.
func TestRestAtRandom(t *testing.T) {
	steps := 1500
	if testing.Short() {
		steps = 300
	}
	for _, threshold := range []uint8{0, 2} {
		t.Run(fmt.Sprintf("threshold %d", threshold), func(t *testing.T) {
			guests, tr := pair(t, threshold, jit.Config{Strict: true, Eager: threshold == 0}, (*guest).paged)
			r := rand.New(rand.NewPCG(uint64(threshold), 5))
			for k := range movedPages {
				for f := range movedFrames {
					for _, g := range guests {
						g.WriteCode(frame(k, f), movedPage(k, 0))
					}
				}
			}
			for step := range steps {
				k, f, what, version, n := r.IntN(movedPages), r.IntN(movedFrames), r.IntN(8), r.IntN(4), 1+r.IntN(600)
				for _, g := range guests {
					switch what {
					case 0, 1:
						g.WriteCode(frame(k, f), movedPage(k, version))
					case 2: // half of it
						g.WriteCode(frame(k, f), movedPage(k, version)[:2048])
					case 3: // a constant
						part := uint32(n % movedParts * movedSize)
						g.WriteCode(frame(k, f)+part+1, binary.LittleEndian.AppendUint32(nil, uint32(step)))
					default:
						g.place(k, f)
					}
					g.Run(n)
				}
				compareGuests(t, guests[0].CPU, guests[1].CPU, true)
				if t.Failed() {
					t.Fatalf("step %d: %d to frame %d of page %d, then %d instructions", step, what, f, k, n)
				}
			}
			if s := &tr.Stats; s.Woken == 0 || s.Insts == 0 {
				t.Errorf("%d blocks woken, %d instructions translated", s.Woken, s.Insts)
			} else {
				t.Logf("%d blocks translated, %d woken, %d entries", s.Blocks, s.Woken, s.Entries)
			}
		})
	}
}
