package cpu

import (
	"testing"

	"alpinevm/cpu/mem"
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

// systemFeatures are the announced bits that stand for no form of the opcode
// table.
var systemFeatures = map[x86.FeatureBit]string{
	{Leaf: 1, Reg: 3, Bit: 2}:           "DE",
	{Leaf: 1, Reg: 3, Bit: 3}:           "PSE",
	{Leaf: 1, Reg: 3, Bit: 6}:           "PAE",
	{Leaf: 1, Reg: 3, Bit: 13}:          "PGE",
	{Leaf: 1, Reg: 3, Bit: 16}:          "PAT",
	{Leaf: 7, Reg: 1, Bit: 7}:           "SMEP",
	{Leaf: 7, Reg: 2, Bit: 2}:           "UMIP",
	{Leaf: 1, Reg: 2, Bit: 31}:          "a hypervisor",
	{Leaf: 0x80000001, Reg: 3, Bit: 20}: "NX",
}

// TestAnnounced: the bits of CPUID are those of the opcode table's features and of
// systemFeatures, neither more nor less.
func TestAnnounced(t *testing.T) {
	r := newRig(t)
	known := map[x86.FeatureBit]string{}
	for b, name := range systemFeatures {
		known[b] = name
	}
	for f := x86.Base + 1; f < x86.NumFeatures; f++ {
		known[f.Bit()] = f.String()
	}
	for b, name := range known {
		if r.identify(b.Leaf, 0)[b.Reg]>>b.Bit&1 == 0 {
			t.Errorf("%s is not announced", name)
		}
	}
	for leaf, regs := range map[uint32][]uint8{1: {2, 3}, 7: {1, 2, 3}, 0x80000001: {2, 3}} {
		for _, reg := range regs {
			for bit := range uint8(32) {
				b := x86.FeatureBit{Leaf: leaf, Reg: reg, Bit: bit}
				if r.identify(leaf, 0)[reg]>>bit&1 != 0 && known[b] == "" {
					t.Errorf("%+v is announced, and nobody knows what it is", b)
				}
			}
		}
	}
}

// TestNotAnnounced: without a source of chance CPUID shows neither RDRAND nor
// RDSEED, and both are #UD.
func TestNotAnnounced(t *testing.T) {
	m, err := mem.New(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	c, err := New(Config{Mem: m})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		f    x86.Feature
		code []byte
	}{
		{x86.FeatureRDRAND, []byte{0x0f, 0xc7, 0xf0}},
		{x86.FeatureRDSEED, []byte{0x0f, 0xc7, 0xf8}},
	} {
		b := row.f.Bit()
		if c.identify(b.Leaf, 0)[b.Reg]>>b.Bit&1 != 0 {
			t.Errorf("%v is announced", row.f)
		}
		if st := c.execute1(t, row.code...); st != faulted || c.Fault.Vector != vecUD {
			t.Errorf("%v: status %d, fault %+v", row.f, st, c.Fault)
		}
	}
}

// TestCR4Bits: MOV to CR4 takes the bits whose feature CPUID shows and refuses the
// others (SDM vol. 3A 2.5).
func TestCR4Bits(t *testing.T) {
	announced := map[uint32]x86.FeatureBit{
		cr4TSD:        x86.FeatureTSC.Bit(),
		cr4DE:         {Leaf: 1, Reg: 3, Bit: 2},
		cr4PSE:        {Leaf: 1, Reg: 3, Bit: 3},
		cr4PAE:        {Leaf: 1, Reg: 3, Bit: 6},
		cr4PGE:        {Leaf: 1, Reg: 3, Bit: 13},
		cr4PCE:        x86.FeatureMMX.Bit(), // RDPMC came with it
		cr4OSFXSR:     x86.FeatureFXSR.Bit(),
		cr4OSXMMEXCPT: x86.FeatureSSE.Bit(),
		cr4UMIP:       {Leaf: 7, Reg: 2, Bit: 2},
		cr4SMEP:       {Leaf: 7, Reg: 1, Bit: 7},
		cr4SMAP:       x86.FeatureSMAP.Bit(),
	}
	for bit := range 32 {
		r := newRig(t)
		b, ok := announced[1<<bit]
		ok = ok && r.identify(b.Leaf, 0)[b.Reg]>>b.Bit&1 != 0
		r.R[eax] = 1 << bit
		want := "13(0)"
		if ok {
			want = ""
		}
		if got := r.exec(0x0f, 0x22, 0xe0); got != want {
			t.Errorf("bit %d: %q, want %q", bit, got, want)
		}
	}
}
