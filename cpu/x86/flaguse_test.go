package x86

import "testing"

func TestFlagUse(t *testing.T) {
	for op := Op(1); op < numOps; op++ {
		u := flagUses[op]
		if u.Kills&^u.Writes != 0 {
			t.Errorf("%v kills flags that it does not write: %#x", op, u.Kills&^u.Writes)
		}
	}
	rows := []struct {
		code []byte
		want FlagUse
	}{
		{[]byte{0x40}, FlagUse{0, flagsInc, flagsInc}},                                        // inc
		{[]byte{0x72, 0}, FlagUse{Reads: FlagCF}},                                             // jb
		{[]byte{0x0F, 0x9F, 0xC0}, FlagUse{Reads: FlagSF | FlagOF | FlagZF}},                  // setg
		{[]byte{0x0F, 0x4A, 0xC0}, FlagUse{Reads: FlagPF}},                                    // cmovp
		{[]byte{0xDB, 0xD0}, FlagUse{Reads: FlagCF | FlagZF}},                                 // fcmovnbe
		{[]byte{0xD3, 0xE0}, FlagUse{Writes: FlagsArith}},                                     // shl by cl
		{[]byte{0xD1, 0xE0}, FlagUse{Writes: FlagsArith, Kills: FlagsArith}},                  // shl by 1
		{[]byte{0xC1, 0xE0, 0x20}, FlagUse{}},                                                 // shl by 32
		{[]byte{0xC1, 0xD0, 0x03}, FlagUse{Reads: FlagCF, Writes: flagsRot, Kills: flagsRot}}, // rcl by 3
		{[]byte{0x0F, 0xA4, 0xC0, 0x03}, FlagUse{Writes: FlagsArith, Kills: FlagsArith}},      // shld by 3
		{[]byte{0x0F, 0xBC, 0xC0}, FlagUse{Writes: FlagZF, Kills: FlagZF}},                    // bsf
		{[]byte{0xF3, 0xA6}, FlagUse{Reads: FlagDF, Writes: FlagsArith}},                      // repe cmpsb
		{[]byte{0x0F, 0xC8}, FlagUse{}},                                                       // bswap
		{[]byte{0x19, 0xC0}, FlagUse{Reads: FlagCF, Writes: FlagsArith, Kills: FlagsArith}},   // sbb
		{[]byte{0x0F, 0xC7, 0x08}, FlagUse{Writes: FlagZF, Kills: FlagZF}},                    // cmpxchg8b
	}
	for _, r := range rows {
		var in Inst
		if res := Decode(r.code, Mode32, &in); res != OK {
			t.Fatalf("% X: result %d", r.code, res)
		}
		if got := in.Flags(); got != r.want {
			t.Errorf("% X: %+v, want %+v", r.code, got, r.want)
		}
	}
}
