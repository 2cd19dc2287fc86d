//go:build linux && amd64

package amd64_test

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"alpinevm/cpu/jit"
	"alpinevm/cpu/jit/amd64"
)

// stormPage is where the code of a storm lies that changes, in a page of its own
// behind what changes it.
const stormPage = guestCode + 0x1000

// le is a number as it stands in code.
func le(v uint32) []byte { return binary.LittleEndian.AppendUint32(nil, v) }

// cat puts code together.
func cat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// forever is code with a jump back to its start.
func forever(parts ...[]byte) []byte {
	b := cat(parts...)
	return cat(b, []byte{0xe9}, le(uint32(-(len(b) + 5))))
}

// slide is a page of INC EAX with a RET at its end: a block may begin at each byte.
var slide = append(bytes.Repeat([]byte{0x40}, 0xfff), 0xc3)

// heat executes the page from its second line on, 640 times from 32 bytes in turn, so
// that it is translated as thousands of blocks: mov ecx, 640; one: mov ebx, ecx;
// and ebx, 31; add ebx, stormPage+64; call ebx; dec ecx; jnz one.
var heat = cat([]byte{0xb9}, le(640), []byte{0x89, 0xcb, 0x83, 0xe3, 31, 0x81, 0xc3}, le(stormPage+64), []byte{0xff, 0xd3, 0x49, 0x75, 0xf0})

// heated is how many instructions that takes.
const heated = 640*(0x1000-64-16+8) + 100

// storms are hostile code that changes what has been executed, again and again.
var storms = []struct {
	name  string
	warm  int    // instructions until it storms
	count int    // instructions to measure
	main  []byte // at guestCode
}{
	// inc byte [next+1]; mov edx, ...
	{"the next instruction", 100_000, 100_000, forever([]byte{0xfe, 0x05}, le(guestCode+7), []byte{0xba, 1, 2, 3, 4})},
	// mov ecx, 18; one: call page; dec ecx; jnz one; mov byte [page], inc eax
	{"what has just become hot", 100_000, 1_000_000, forever([]byte{0xb9}, le(18), []byte{0xe8}, le(0x1000-10), []byte{0x49, 0x75, 0xf8, 0xc6, 0x05}, le(stormPage), []byte{0x40})},
	// mov byte [page], ret; call page
	{"a block in a page of thousands", heated, 100_000, cat(heat, forever([]byte{0xc6, 0x05}, le(stormPage), []byte{0xc3, 0xbb}, le(stormPage), []byte{0xff, 0xd3}))},
	// xor byte [page+edx], 0; add edx, 64; and edx, fc0h; lea ebx, [edx+page]; call ebx
	{"each line in turn", heated, 100_000, cat(heat, forever([]byte{0x80, 0xb2}, le(stormPage), []byte{0, 0x83, 0xc2, 64, 0x81, 0xe2}, le(0xfc0), []byte{0x8d, 0x9a}, le(stormPage), []byte{0xff, 0xd3}))},
	// mov edi, page; mov ecx, 3ffh; mov eax, inc eax four times; rep stosd
	{"all of a page, when it is hot", heated, heated, forever(heat, []byte{0xbf}, le(stormPage), []byte{0xb9}, le(0x3ff), []byte{0xb8}, le(0x40404040), []byte{0xf3, 0xab})},
}

// TestStorms: hostile code that changes itself costs a bounded part of the host's
// processor for each instruction, however long it goes on, no more translation than
// its executions are worth, and no memory.
func TestStorms(t *testing.T) {
	if err := amd64.Supported(); err != nil {
		t.Skip("not here: ", err)
	}
	const (
		// A thousand times what an instruction of the interpreter takes; some
		// ten times what these take.
		mostTime   = 30_000 // nanoseconds an instruction
		mostMemory = 16 << 20
	)
	for _, s := range storms {
		t.Run(s.name, func(t *testing.T) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			code := make([]byte, 0x1000, 0x2000)
			copy(code, s.main)
			code = append(code, slide...)
			plain, tested := newGuest(t, 8<<20, code), newGuest(t, 8<<20, code)
			tr, err := amd64.Attach(tested.CPU, 16, jit.Config{Strict: true})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				tested.Attach(nil, 0)
				tr.Close()
			}()
			tested.Run(s.warm)
			held, time := heapHeld(), threadTime(t)
			tested.Run(s.count)
			time = threadTime(t) - time
			if grown := heapHeld() - held; grown > mostMemory {
				t.Errorf("%d bytes of memory more after %d instructions", grown, s.count)
			}
			if each := float64(time) / float64(s.count); each > mostTime {
				t.Errorf("%.0f ns of the processor an instruction, want %d at most", each, mostTime)
			}
			if st := &tr.Stats; st.Insts > tested.Retired/2 {
				t.Errorf("%d instructions translated, %d executed", st.Insts, tested.Retired)
			}
			plain.Run(s.warm + s.count)
			compareGuests(t, plain.CPU, tested.CPU, true)
			t.Logf("%d ns an instruction; %d instructions translated of %d executed", time/int64(s.count), tr.Stats.Insts, tested.Retired)
		})
	}
}

// heapHeld is the memory that is in use on Go's heap.
func heapHeld() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// threadTime is the processor time of the thread in nanoseconds.
func threadTime(t *testing.T) int64 {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &u); err != nil {
		t.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
