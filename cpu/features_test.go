package cpu

import (
	"testing"

	"alpinevm/cpu/x86"
)

// TestEveryFormIsServed: CPUID shows every feature of the opcode table, so every
// mnemonic has its handler.
func TestEveryFormIsServed(t *testing.T) {
	missing := map[x86.Op]bool{}
	for i := range x86.Forms {
		if m := x86.Forms[i].Op; selectors[m] == nil && !missing[m] {
			missing[m] = true
			t.Errorf("%v has no handler", m)
		}
	}
}
