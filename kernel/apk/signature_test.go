package apk

import (
	"fmt"
	"testing"
)

// sparseHeader is a tar header of a file of zeros that takes no room in the archive: GNU's
// sparse format of old, with no data and a size (GNU tar manual, "Storing Sparse Files").
func sparseHeader(name string, size int64) []byte {
	h := make([]byte, 512)
	put := func(at int, s string) { copy(h[at:], s) }
	put(0, name)
	put(100, "0000644\x000000000\x000000000\x00")        // mode, owner, group
	put(124, fmt.Sprintf("%011o\x00%011o\x00", 0, 0))    // size in the archive, time
	put(148, "        S")                                // checksum, type
	put(257, "ustar  \x00")                              // GNU's
	put(386, fmt.Sprintf("%011o\x00%011o\x00", size, 0)) // a piece of no bytes at the end
	put(483, fmt.Sprintf("%011o\x00", size))             // its true size
	sum := 0
	for _, b := range h {
		sum += int(b)
	}
	put(148, fmt.Sprintf("%06o\x00 ", sum))
	return h
}

// TestSparseSignature: a signature that says that it is large is not read whole.
func TestSparseSignature(t *testing.T) {
	all, ok, err := signatures(append(sparseHeader(".SIGN.RSA.a.rsa.pub", 256<<20), make([]byte, 1024)...))
	if err != nil || !ok || len(all) != 1 {
		t.Fatalf("%d signatures, %v, %v", len(all), ok, err)
	}
	if n := len(all[0].data); n != maxSignature {
		t.Errorf("%d bytes of it are read", n)
	}
}
