package fs9p

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

// TestWire checks messages against bytes laid out by hand from the protocol's description.
func TestWire(t *testing.T) {
	for _, row := range []struct {
		m    Message
		wire string
	}{
		{&Tversion{Msize: 0x01020304, Version: "9P2000.L"}, "\x15\x00\x00\x00\x64\x07\x00\x04\x03\x02\x01\x08\x009P2000.L"},
		{&Twalk{Fid: 1, NewFid: 2, Names: []string{"ab", "c"}}, "\x18\x00\x00\x00\x6e\x07\x00\x01\x00\x00\x00\x02\x00\x00\x00\x02\x00\x02\x00ab\x01\x00c"},
		{&Rwalk{QIDs: []QID{{QTDir, 5, 6}}}, "\x16\x00\x00\x00\x6f\x07\x00\x01\x00\x80\x05\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00"},
		{&Twrite{Fid: 1, Offset: 2, Data: []byte("hi")}, "\x19\x00\x00\x00\x76\x07\x00\x01\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00hi"},
		{&Rlerror{Errno: 2}, "\x0b\x00\x00\x00\x07\x07\x00\x02\x00\x00\x00"},
		{&Tlink{Dir: 1, Fid: 2, Name: "x"}, "\x12\x00\x00\x00\x46\x07\x00\x01\x00\x00\x00\x02\x00\x00\x00\x01\x00x"},
		{&Tunlinkat{Dir: 1, Name: "x", Flags: 0x200}, "\x12\x00\x00\x00\x4c\x07\x00\x01\x00\x00\x00\x01\x00x\x00\x02\x00\x00"},
		{&Rclunk{}, "\x07\x00\x00\x00\x79\x07\x00"},
	} {
		if got := Append(nil, 7, row.m); string(got) != row.wire {
			t.Errorf("%T: % x, want % x", row.m, got, row.wire)
		}
		tag, m, err := Parse([]byte(row.wire))
		if err != nil || tag != 7 || !reflect.DeepEqual(m, row.m) {
			t.Errorf("%T: parsed as %+v, tag %d, %v", row.m, m, tag, err)
		}
	}
	if n := len(Append(nil, 0, &Rgetattr{})); n != 160 {
		t.Errorf("Rgetattr has %d bytes, Linux reads 160", n)
	}
	if n := len(Append(nil, 0, &Tsetattr{})); n != 7+4+4+4*3+8+4*8 {
		t.Errorf("Tsetattr has %d bytes", n)
	}
}

// TestRoundTrip fills every message with values and takes it through the wire.
func TestRoundTrip(t *testing.T) {
	n := 0
	for typ, build := range messages {
		if build == nil {
			continue
		}
		n++
		m := build()
		if m.Type() != MsgType(typ) {
			t.Errorf("%T is in the table at %d", m, typ)
		}
		seed := uint64(1)
		fillValue(reflect.ValueOf(m).Elem(), &seed)
		wire := Append([]byte("before"), 9, m)[len("before"):]
		tag, got, err := Parse(append(bytes.Clone(wire), "behind"...))
		if err != nil || tag != 9 || !reflect.DeepEqual(got, m) {
			t.Errorf("%T: sent %+v, got %+v, %v", m, m, got, err)
		}
		// Nothing shorter is accepted, but for Tfsync's optional field.
		for cut := range wire {
			short := bytes.Clone(wire[:cut])
			if cut >= 4 {
				short[0], short[1] = byte(cut), byte(cut>>8)
			}
			if _, _, err := Parse(short); err == nil && !(MsgType(typ) == MsgTfsync && cut == 11) {
				t.Errorf("%T: accepted when cut to %d of %d bytes", m, cut, len(wire))
			}
		}
	}
	if n != 57 {
		t.Errorf("%d message types, want 28 pairs and Rlerror", n)
	}
}

func fillValue(v reflect.Value, seed *uint64) {
	*seed++
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fillValue(v.Field(i), seed)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 3, 3))
		for i := range 3 {
			fillValue(v.Index(i), seed)
		}
	case reflect.String:
		v.SetString(strings.Repeat("s", int(*seed%7)))
	case reflect.Int64:
		v.SetInt(-int64(*seed))
	default:
		v.SetUint(*seed * 37 % 251)
	}
}

func TestParseRefuses(t *testing.T) {
	for name, wire := range map[string]string{
		"empty":             "",
		"no tag":            "\x07\x00\x00\x00\x64",
		"size too small":    "\x06\x00\x00\x00\x79\x01\x00",
		"size too large":    "\x08\x00\x00\x00\x79\x01\x00",
		"size huge":         "\xff\xff\xff\xff\x76\x01\x00\x00\x00",
		"unknown type":      "\x07\x00\x00\x00\x01\x01\x00",
		"17 names":          "\x13\x00\x00\x00\x6e\x07\x00\x01\x00\x00\x00\x02\x00\x00\x00\x11\x00\x00\x00",
		"data past the end": "\x19\x00\x00\x00\x76\x07\x00\x01\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xffhi",
	} {
		if _, m, err := Parse([]byte(wire)); err == nil {
			t.Errorf("%s: accepted as %+v", name, m)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, build := range messages {
		if build != nil {
			f.Add(Append(nil, 1, build()))
		}
	}
	f.Add(Append(nil, 1, &Twalk{Names: []string{"a", ".."}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		tag, m, err := Parse(b)
		if err != nil {
			return
		}
		// What was parsed means the same when it is sent again.
		again := Append(nil, tag, m)
		tag2, m2, err := Parse(again)
		if err != nil || tag2 != tag || !reflect.DeepEqual(m, m2) {
			t.Fatalf("%+v became %+v, %v", m, m2, err)
		}
	})
}
