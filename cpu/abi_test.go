package cpu

import (
	"math/bits"
	"reflect"
	"testing"
	"unsafe"

	"alpinevm/cpu/x86"
)

// TestABI pins what generated code relies on. Whoever changes a row changes every
// back end with it.
func TestABI(t *testing.T) {
	var c Core
	for _, row := range []struct {
		name      string
		got, want uintptr
	}{
		{"size of a general register", unsafe.Sizeof(c.R[0]), 4},
		{"OffsetR", OffsetR, 0},
		{"OffsetEIP", OffsetEIP, 64},
		{"OffsetRes", OffsetRes, 68},
		{"OffsetAux", OffsetAux, 72},
		{"OffsetFlags", OffsetFlags, 76},
		{"OffsetRetired", OffsetRetired, 80},
		{"OffsetSeg", OffsetSeg, 128},
		{"size of Seg", unsafe.Sizeof(Seg{}), 16},
		{"Seg.Base", unsafe.Offsetof(Seg{}.Base), 0},
		{"Seg.Limit", unsafe.Offsetof(Seg{}.Limit), 4},
		{"Seg.Sel", unsafe.Offsetof(Seg{}.Sel), 8},
		{"Seg.Fast", unsafe.Offsetof(Seg{}.Fast), 12},
		{"OffsetMant", OffsetMant, 384},
		{"OffsetMXCSR", OffsetMXCSR, 464},
		{"OffsetXMM", OffsetXMM, 256},
		{"size of an XMM register", unsafe.Sizeof(c.FPU.XMM[0]), 16},
		{"OffsetTLB", OffsetTLB, 608},
		{"size of TLB", unsafe.Sizeof(TLB{}), 512 * 16},
		{"TLBEntry.R", unsafe.Offsetof(TLBEntry{}.R), 0},
		{"TLBEntry.W", unsafe.Offsetof(TLBEntry{}.W), 4},
		{"TLBEntry.X", unsafe.Offsetof(TLBEntry{}.X), 8},
		{"TLBEntry.Off", unsafe.Offsetof(TLBEntry{}.Off), 12},
		{"OffsetBudget", OffsetBudget, 33984},
	} {
		if row.got != row.want {
			t.Errorf("%s is %d, want %d", row.name, row.got, row.want)
		}
	}
	if OffsetXMM%16 != 0 || OffsetTLB%16 != 0 {
		t.Error("an XMM register or an entry of the TLB may straddle a cache line")
	}
	if n := unsafe.Sizeof(block{}); n > 64 {
		t.Errorf("a block of %d bytes is longer than a cache line", n)
	}
}

// TestFlagsABI: the lazy form of the flags and EFLAGS bits are each other's image,
// by the functions and by the bits that abi.go tells of.
func TestFlagsABI(t *testing.T) {
	for f := range uint32(1 << 12) {
		f &= x86.FlagsArith
		var s State
		s.SetArith(f)
		if got := s.Arith(); got != f {
			t.Fatalf("flags %#x become %#x", f, got)
		}
		odd := bits.OnesCount8(uint8(s.Res)^uint8(s.Aux&AuxPF>>8))&1 != 0
		for _, flag := range []struct {
			name string
			bit  uint32
			set  bool
		}{
			{"CF", x86.FlagCF, s.Aux&AuxCF != 0},
			{"OF", x86.FlagOF, (s.Aux&AuxCF != 0) != (s.Aux&AuxPO != 0)},
			{"AF", x86.FlagAF, s.Aux&AuxAF != 0},
			{"SF", x86.FlagSF, (int32(s.Res) < 0) != (s.Aux&AuxSF != 0)},
			{"ZF", x86.FlagZF, s.Res == 0},
			{"PF", x86.FlagPF, !odd},
		} {
			if flag.set != (f&flag.bit != 0) {
				t.Fatalf("flags %#x: %s is %v in Res %#x, Aux %#x", f, flag.name, flag.set, s.Res, s.Aux)
			}
		}
	}
}

// TestStateIsPlain: State and Context are exported scalars through and through, so
// that a snapshot is a copy, and lie at the same offsets on every host.
func TestStateIsPlain(t *testing.T) {
	var walk func(name string, typ reflect.Type)
	walk = func(name string, typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Struct:
			for i := range typ.NumField() {
				f := typ.Field(i)
				if !f.IsExported() {
					t.Errorf("%s.%s is not exported", name, f.Name)
				}
				if f.Type.Kind() == reflect.Uint64 && f.Offset%8 != 0 {
					t.Errorf("%s.%s lies at %d: hosts differ on where that is", name, f.Name, f.Offset)
				}
				walk(name+"."+f.Name, f.Type)
			}
		case reflect.Array:
			walk(name+"[]", typ.Elem())
		case reflect.Bool, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		default:
			t.Errorf("%s is a %v", name, typ)
		}
	}
	walk("State", reflect.TypeFor[State]())
	walk("Context", reflect.TypeFor[Context]())
}
