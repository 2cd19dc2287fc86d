//go:build linux

package main

import (
	"encoding/binary"
	"io/fs"
	"testing"

	"alpinevm/web"
)

// largestFunction is more than what the largest function of the page's program has, in bytes.
const largestFunction = 64 << 10

// largestProgram is what the page's program may have as it is served, by gzip. One of that
// size has less than 3.0 MB by brotli (quality 11), which takes too long for a test.
const largestProgram = 4_200_000

// TestSizeOfProgram: everybody who opens a page waits for its program.
func TestSizeOfProgram(t *testing.T) {
	files, err := web.Files()
	if err != nil {
		t.Fatal(err, ": make web does")
	}
	info, err := fs.Stat(files, "alpinevm.wasm.gz")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the program has %d bytes by gzip", info.Size())
	if info.Size() > largestProgram {
		t.Errorf("the program has %d bytes by gzip, more than %d", info.Size(), largestProgram)
	}
}

// TestFunctionsOfProgram: no function of the page's program is huge, as a package's init is
// with large maps in it. Engines count what a function does by how large it is, and optimize
// it soon, which takes seconds for what runs once.
func TestFunctionsOfProgram(t *testing.T) {
	const header, codeSection = 8, 10
	number := func(b []byte) (uint32, []byte) {
		v, n := binary.Uvarint(b)
		if n <= 0 || v > 1<<30 {
			t.Fatalf("no number is at %d bytes before the end", len(b))
		}
		return uint32(v), b[n:]
	}
	functions := 0
	for rest := webProgram(t)[header:]; len(rest) > 0; {
		id := rest[0]
		size, body := number(rest[1:])
		body, rest = body[:size], body[size:]
		if id != codeSection {
			continue
		}
		n, body := number(body)
		for i := range n {
			var size uint32
			if size, body = number(body); size > largestFunction {
				t.Errorf("function %d of the code has %d bytes, more than %d", i, size, largestFunction)
			}
			body = body[size:]
			functions++
		}
	}
	if functions < 10_000 {
		t.Errorf("the program has %d functions", functions)
	}
}
