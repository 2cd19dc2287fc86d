package cpu

import (
	"bytes"
	"testing"
)

// TestPeek reads across two pages that are mapped elsewhere and stops before
// one that is not, without a trace in the tables or the TLB.
func TestPeek(t *testing.T) {
	for _, tt := range []struct {
		name   string
		paging func(*rig) *pages
	}{
		{"none", nil},
		{"32-bit", (*rig).paging32},
		{"PAE", (*rig).pagingPAE},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			const lin = 0x5ffe
			first, second, n := uint32(lin), uint32(lin+2), 6
			if tt.paging != nil {
				p := tt.paging(r)
				p.put(0x5000, 0x20000|1)
				p.put(0x6000, 0x22000|1)
				p.put(0x7000, 0)
				first, second = 0x20ffe, 0x22000
				n = 0x1000 + 2
			}
			r.put(first, 1, 2)
			r.put(second, 3, 4, 5, 6)
			before := r.State
			got := make([]byte, n)
			if have := r.Peek(lin, got); have != n || !bytes.Equal(got[:6], []byte{1, 2, 3, 4, 5, 6}) {
				t.Errorf("%d bytes, %v", have, got[:6])
			}
			if r.State != before {
				t.Error("the state has changed")
			}
			if tt.paging == nil {
				return
			}
			if have := r.Peek(lin, make([]byte, n+10)); have != n {
				t.Errorf("%d bytes up to the page that is not there, want %d", have, n)
			}
			if have := r.Peek(0x7000, make([]byte, 1)); have != 0 {
				t.Errorf("%d bytes of a page that is not there", have)
			}
			if have := r.Peek(0xfffff000, make([]byte, 1)); have != 0 {
				t.Errorf("%d bytes without a page table", have)
			}
		})
	}
}
