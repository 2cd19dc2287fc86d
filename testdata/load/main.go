// Command load is work whose result is known, for a guest that is saved and goes on
// elsewhere in the middle of it: "load WORD... " does the parts of those names at the
// same time, in the working folder, and prints a line of each.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"slices"
	"syscall"
)

var parts = map[string]func() string{
	"faults": faults, "fsync": fsync, "locks": locks, "mappings": mappings, "nameless": nameless,
	"rep": rep, "sse": sse, "transfer": transfer, "x87": x87Stack,
}

func main() {
	if len(os.Args) > 2 && os.Args[1] == "child" {
		children[os.Args[2]]()
		return
	}
	var done []chan string
	for _, name := range os.Args[1:] {
		c := make(chan string, 1)
		done = append(done, c)
		go func() { c <- name + ": " + parts[name]() }()
	}
	var lines []string
	for _, c := range done {
		lines = append(lines, <-c)
	}
	slices.Sort(lines)
	for _, l := range lines {
		fmt.Println(l)
	}
}

// try ends the program with an error.
func try[T any](v T, err error) T {
	check(err)
	return v
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// want ends the program where something is not so.
func want(ok bool, format string, args ...any) {
	if !ok {
		check(fmt.Errorf(format, args...))
	}
}

// numbers fills p with what follows from seed alone.
func numbers(p []byte, seed uint32) {
	for i := 0; i+4 <= len(p); i += 4 {
		seed = seed*1664525 + 1013904223
		binary.LittleEndian.PutUint32(p[i:], seed)
	}
}

func digest(p []byte) string {
	sum := sha256.Sum256(p)
	return fmt.Sprintf("%x", sum[:8])
}

// sse computes with SSE2, as Go's compiler has it.
func sse() string {
	h := sha256.New()
	x, y := 0.5, float32(0.25)
	for i := range 60_000 {
		x = math.Sin(x)*math.Exp(-x) + 1/float64(i+1)
		y = y*1.0001 + float32(x)/7
		if i%100 == 0 {
			binary.Write(h, binary.LittleEndian, math.Float64bits(x))
			binary.Write(h, binary.LittleEndian, math.Float32bits(y))
		}
	}
	return digest(h.Sum(nil))
}

// x87 goes round n times with six values in the registers of the x87, and puts them
// into out, ten bytes each.
func x87(n uint32, out *[60]byte)

func x87Stack() string {
	var all []byte
	for i := range uint32(40) {
		var out [60]byte
		x87(500+i, &out)
		all = append(all, out[:]...)
	}
	return digest(all)
}

// copyForward copies from to to, byte by byte, by one instruction.
func copyForward(to, from []byte)

// rep copies and clears much at a time, which are repeated instructions.
func rep() string {
	a, b := make([]byte, 1<<20), make([]byte, 1<<20)
	numbers(a, 1)
	for i := range 40 {
		copyForward(b, a)
		want(bytes.Equal(a, b), "a copy differs")
		numbers(a[i<<12:(i+1)<<12], uint32(i))
	}
	copyForward(b, a)
	return digest(b)
}

// faults touches pages that are not there yet.
func faults() string {
	sum := uint32(0)
	for round := range uint32(12) {
		p := try(syscall.Mmap(-1, 0, 2<<20, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON))
		for i := 0; i < len(p); i += 4096 {
			want(p[i] == 0 && p[i+4095] == 0, "a fresh page has something in it")
			binary.LittleEndian.PutUint32(p[i:], uint32(i)^round)
		}
		for i := 0; i < len(p); i += 4096 {
			sum = sum*31 + binary.LittleEndian.Uint32(p[i:])
		}
		check(syscall.Munmap(p))
	}
	return fmt.Sprintf("%08x", sum)
}

// transfer sends bytes through the guest's loopback.
func transfer() string {
	const size = 4 << 20
	l := try(net.Listen("tcp", "127.0.0.1:0"))
	defer l.Close()
	go func() {
		c := try(l.Accept())
		defer c.Close()
		p := make([]byte, 64<<10)
		for i := range uint32(size / len(p)) {
			numbers(p, i)
			try(c.Write(p))
		}
	}()
	c := try(net.Dial("tcp", l.Addr().String()))
	defer c.Close()
	return digest(try(io.ReadAll(c)))
}
