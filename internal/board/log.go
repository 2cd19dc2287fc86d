package board

import (
	"bytes"
	"fmt"
	"strings"

	"alpinevm/cpu"
)

// LogState is the last bytes that COM1 has sent.
type LogState struct {
	Buf   [32 << 10]byte
	N     int64 // bytes ever added
	Start int64 // value of N where the current line began
}

func (l *LogState) add(b byte) {
	l.Buf[l.N%int64(len(l.Buf))] = b
	l.N++
	if b == '\n' {
		l.Start = l.N
	}
}

// since is what was added from the nth byte on, as far as it is there.
func (l *LogState) since(n int64) []byte {
	size := int64(len(l.Buf))
	n = max(n, l.N-size)
	i, j := n%size, l.N%size
	switch {
	case n >= l.N:
		return nil
	case i < j:
		return l.Buf[i:j]
	}
	return append(bytes.Clone(l.Buf[i:]), l.Buf[:j]...)
}

// check refuses what cannot have come from add.
func (l *LogState) check() error {
	if l.N < 0 || l.N > 1<<62 || l.Start < 0 || l.Start > l.N {
		return fmt.Errorf("log: a line began at %d of %d bytes", l.Start, l.N)
	}
	return nil
}

// Log is the last 32 KiB that COM1 has sent, good until the next step.
func (b *Board) Log() []byte { return b.log.since(0) }

// CPU gives the processor, for whoever compares two machines between two steps.
func (b *Board) CPU() *cpu.CPU { return b.cpu }

// Registers describes the processor's state, for people.
func (b *Board) Registers() string { return dump(&b.cpu.State) }

// dump shows the registers.
func dump(s *cpu.State) string {
	var b strings.Builder
	for i, n := range []string{"EAX", "ECX", "EDX", "EBX", "ESP", "EBP", "ESI", "EDI"} {
		fmt.Fprintf(&b, "%s %08x ", n, s.R[i])
	}
	fmt.Fprintf(&b, "\nEIP %08x EFLAGS %08x CPL %d CR0 %08x CR2 %08x CR3 %08x CR4 %08x\n", s.EIP, s.EFLAGS(), s.CPL, s.CR0, s.CR2, s.CR3, s.CR4)
	for i, n := range []string{"ES", "CS", "SS", "DS", "FS", "GS", "LDTR", "TR"} {
		fmt.Fprintf(&b, "%s %04x %08x ", n, s.Seg[i].Sel, s.Seg[i].Base)
	}
	fmt.Fprintf(&b, "\n%d instructions\n", s.Retired)
	return b.String()
}
