package bios

import "fmt"

// ROM says where a firmware image is seen.
type ROM struct {
	High uint64 // the whole image, read-only, up to 4 GiB: the reset vector is in it
	Low  uint64 // its end, writable like shadow RAM, up to 1 MiB
	Tail []byte // what is at Low: the last 128 KiB at most
}

// maxShadow is how much of an image is seen below 1 MiB: E0000h to FFFFFh.
const maxShadow = 128 << 10

// PlaceROM says where a firmware image is seen: whole pages, from 64 KiB to 4
// MiB. Other sizes are an error.
func PlaceROM(image []byte) (ROM, error) {
	const least, page = 64 << 10, 4096
	n := len(image)
	if n < least || n%page != 0 || n > fourGiB-topROM {
		return ROM{}, fmt.Errorf("a firmware image of %d bytes: want 64 KiB to 4 MiB, in steps of 4 KiB", n)
	}
	tail := image[n-min(n, maxShadow):]
	return ROM{High: fourGiB - uint64(n), Low: romEnd - uint64(len(tail)), Tail: tail}, nil
}
