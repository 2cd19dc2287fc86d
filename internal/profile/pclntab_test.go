package profile

import (
	"bytes"
	"debug/elf"
	"debug/gosym"
	"encoding/binary"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// goProgram builds a Go program for the guest, stripped.
func goProgram(t *testing.T) []byte {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("not here: there is no go command")
	}
	dir := t.TempDir()
	source, program := filepath.Join(dir, "main.go"), filepath.Join(dir, "program")
	text := "package main\n\n//go:noinline\nfunc hotFunction(n int) int { return n * n }\n\nfunc main() { println(hotFunction(7)) }\n"
	if err := os.WriteFile(source, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", program, source)
	build.Env = append(os.Environ(), "GOOS=linux", "GOARCH=386", "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestStrippedGo reads the functions of a stripped Go program as debug/gosym does.
func TestStrippedGo(t *testing.T) {
	program := goProgram(t)
	p := New(1, func(string) (File, error) { return nopCloser{bytes.NewReader(program)}, nil })
	i, ok := p.openModule("/program")
	if !ok {
		t.Fatal("no module")
	}
	left := int64(64 << 20)
	list := *p.modules[i].table(&left)
	f, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		t.Fatal(err)
	}
	table, err := f.Section(".gopclntab").Data()
	if err != nil {
		t.Fatal(err)
	}
	want, err := gosym.NewTable(nil, gosym.NewLineTable(table, f.Section(".text").Addr))
	if err != nil {
		t.Fatal(err)
	}
	if len(want.Funcs) < 500 || len(list) != len(want.Funcs) {
		t.Errorf("%d functions, want %d", len(list), len(want.Funcs))
	}
	for _, w := range want.Funcs {
		for _, at := range []uint64{w.Entry, w.End - 1} {
			if name, ok := list.find(uint32(at)); !ok || name != w.Name {
				t.Fatalf("%#x: %q, want %q", at, name, w.Name)
			}
		}
	}
	if main := want.LookupFunc("main.hotFunction"); main == nil {
		t.Error("there is no main.hotFunction")
	}
}

// TestHostileGoTable: numbers that lead out of the table give nothing.
func TestHostileGoTable(t *testing.T) {
	le := binary.LittleEndian
	good := make([]byte, 200)
	le.PutUint32(good, goTable120)
	good[6], good[7] = 1, 4
	for i, v := range []uint32{1, 0, 0, 100, 0, 0, 0, 60} {
		le.PutUint32(good[8+4*i:], v)
	}
	for i, v := range []uint32{0, 12, 16, 0, 0} { // an entry, the end, and the function
		le.PutUint32(good[60+4*i:], v)
	}
	copy(good[100:], "main.main\x00")
	left := int64(9)
	if list := goFunctions(&left, good, 0x1000); len(list) != 1 || list[0] != (symbol{0x1000, 16, "main.main"}) {
		t.Fatalf("%+v", list)
	}
	if list := goFunctions(&left, good, 0x1000); left != 0 || len(list) != 0 {
		t.Errorf("beyond what may be read: %+v", list)
	}
	left = 1 << 20
	for at := 0; at+4 <= len(good); at++ {
		for _, v := range []uint32{0, 1, 199, 200, 1 << 30, math.MaxUint32} {
			bad := bytes.Clone(good)
			le.PutUint32(bad[at:], v)
			if list := goFunctions(&left, bad, 0x1000); len(list) > 25 {
				t.Errorf("%d at %d: %d functions", v, at, len(list))
			}
		}
	}
	for n := range good {
		goFunctions(&left, good[:n], 0)
	}
}
