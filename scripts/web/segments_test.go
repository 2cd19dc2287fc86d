package main

import (
	"bytes"
	"slices"
	"testing"
)

// wasmFile is a program with a section before its data and one behind it.
func wasmFile(data []byte) []byte {
	b := []byte("\x00asm\x01\x00\x00\x00\x05\x03\x01\x00\x01")
	b = append(append(b, dataSection, byte(len(data))), data...)
	return append(b, "\x00\x03\x02hi"...)
}

func TestJoinSegments(t *testing.T) {
	list := []segment{
		{0, []byte("a")}, {9, []byte("bc")}, {0x80, []byte("d")}, // neighbours
		{0x80000000, []byte("e")}, {0x80000009, []byte("f")}, // behind a gap, with an address that is negative as an i32
		{0x2000, []byte("g")}, {0x2000, []byte("h")}, // before the last one; and over it
	}
	file := wasmFile(writeSegments(list))
	joined, err := joinSegments(file)
	if err != nil {
		t.Fatal(err)
	}
	want := []segment{
		{0, slices.Concat([]byte("a"), make([]byte, 8), []byte("bc"), make([]byte, 0x80-11), []byte("d"))},
		{0x80000000, []byte("e\x00\x00\x00\x00\x00\x00\x00\x00f")},
		{0x2000, []byte("g")}, {0x2000, []byte("h")},
	}
	section := writeSegments(want)
	wantFile := bytes.Replace(file, writeSegments(list), section, 1)
	wantFile = bytes.Replace(wantFile, []byte{dataSection, byte(len(writeSegments(list)))}, []byte{dataSection, byte(len(section)&0x7f | 0x80), byte(len(section) >> 7)}, 1)
	if !bytes.Equal(joined, wantFile) {
		t.Errorf("joined %q, want %q", joined, wantFile)
	}
	got, err := readSegments(section)
	if err != nil || !slices.EqualFunc(got, want, func(a, b segment) bool { return a.at == b.at && bytes.Equal(a.data, b.data) }) {
		t.Errorf("read again %v, %v, want %v", got, err, want)
	}
	for n := range file {
		if _, err := joinSegments(file[:n]); err == nil && n != wasmHeader && n != wasmHeader+5 && n != len(file)-5 {
			t.Errorf("%d bytes of a program are one", n)
		}
	}
	for _, section := range []string{
		"\x01\x01\x41\x00\x0b\x00", "\x01\x00\x42\x00\x0b\x00", "\x01\x00\x41\x00\x0c\x00", "\x00\x00",
		"\x01\x00\x41\x80\x80\x80\x80\x80\x00\x0b\x00", "\xff\xff\xff\xff\xff\x01", "\x02\x00\x41\x00\x0b\x00",
	} {
		if _, err := joinSegments(wasmFile([]byte(section))); err == nil {
			t.Errorf("data %q are a program's", section)
		}
	}
}
