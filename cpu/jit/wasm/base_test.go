package wasm

import (
	"encoding/base64"
	"os"
	"strings"
	"testing"
)

// TestBaseInPage: what the page starts the program with is what Base gives, as text.
func TestBaseInPage(t *testing.T) {
	b, err := os.ReadFile("../../../web/src/jit.mjs")
	if err != nil {
		t.Fatal(err)
	}
	if want := base64.StdEncoding.EncodeToString(Base(0, Places(0))); !strings.Contains(string(b), `"`+want+`"`) {
		t.Errorf("web/src/jit.mjs has not the module\n%s", want)
	}
}

// TestNumbers: numbers are encoded as the specification's LEB128.
func TestNumbers(t *testing.T) {
	for _, tt := range []struct {
		v    int64
		s, u string // signed, and unsigned where it is not negative
	}{
		{0, "00", "00"}, {1, "01", "01"}, {63, "3f", "3f"}, {64, "c000", "40"}, {127, "ff00", "7f"}, {128, "8001", "8001"}, {-1, "7f", ""},
		{-64, "40", ""}, {-65, "bf7f", ""}, {624485, "e58e26", "e58e26"}, {-123456, "c0bb78", ""}, {-1 << 31, "8080808078", ""}, {1<<31 - 1, "ffffffff07", "ffffffff07"},
	} {
		var s, u asm
		s.s(tt.v)
		if got := hexOf(s.b); got != tt.s {
			t.Errorf("%d is %s, want %s", tt.v, got, tt.s)
		}
		if tt.u == "" {
			continue
		}
		if u.u(uint32(tt.v)); hexOf(u.b) != tt.u {
			t.Errorf("%d without sign is %s, want %s", tt.v, hexOf(u.b), tt.u)
		}
	}
}

func hexOf(b []byte) string {
	const digits = "0123456789abcdef"
	var s strings.Builder
	for _, c := range b {
		s.WriteByte(digits[c>>4])
		s.WriteByte(digits[c&15])
	}
	return s.String()
}
