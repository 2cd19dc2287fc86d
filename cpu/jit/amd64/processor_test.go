//go:build linux && amd64

package amd64

import "testing"

// TestMicrocoded knows the processors whose PEXT is not worth its time.
func TestMicrocoded(t *testing.T) {
	intel := [3]uint32{0x756e6547, 0x49656e69, 0x6c65746e}
	for _, tt := range []struct {
		name      string
		vendor    [3]uint32
		signature uint32
		want      bool
	}{
		{"Haswell", intel, 0x000306c3, false},
		{"Excavator", vendorAMD, 0x00660f01, true},
		{"Zen", vendorAMD, 0x00800f11, true},
		{"Zen 2", vendorAMD, 0x00870f10, true},
		{"Zen 3", vendorAMD, 0x00a20f10, false},
		{"Zen 5", vendorAMD, 0x00b40f40, false},
		{"Dhyana", vendorHygon, 0x00900f02, true},
	} {
		if got := microcoded(tt.vendor, tt.signature); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}
