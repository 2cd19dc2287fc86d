package kernel

import (
	"bytes"
	"debug/elf"
	"testing"
)

// TestStackNotExecuted: the programs that are made here say that their stack is data;
// of others Linux takes all that is readable for code.
func TestStackNotExecuted(t *testing.T) {
	c := newCaller()
	first := c.here()
	c.exit(0)
	f, err := elf.NewFile(bytes.NewReader(c.image(first)))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_GNU_STACK && p.Flags == elf.PF_R|elf.PF_W {
			return
		}
	}
	t.Errorf("%+v", f.Progs)
}
