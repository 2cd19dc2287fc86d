package board

import (
	"bytes"
	"fmt"
	"strings"

	"alpinevm/cpu"
)

// logTail keeps the last bytes that COM1 has sent.
type logTail struct {
	buf   [32 << 10]byte
	n     int // bytes ever added
	start int // value of n where the current line began
}

func (l *logTail) add(b byte) {
	l.buf[l.n%len(l.buf)] = b
	l.n++
	if b == '\n' {
		l.start = l.n
	}
}

// since is what was added from the nth byte on, as far as it is there.
func (l *logTail) since(n int) []byte {
	n = max(n, l.n-len(l.buf))
	i, j := n%len(l.buf), l.n%len(l.buf)
	switch {
	case n >= l.n:
		return nil
	case i < j:
		return l.buf[i:j]
	}
	return append(bytes.Clone(l.buf[i:]), l.buf[:j]...)
}

// Log is the last 32 KiB that COM1 has sent, good until the next step.
func (b *Board) Log() []byte { return b.log.since(0) }

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
