package board

import (
	"strings"
	"testing"
)

func TestLogTail(t *testing.T) {
	var l LogState
	if b := l.since(0); len(b) != 0 {
		t.Errorf("an empty log has %q", b)
	}
	text := strings.Repeat("0123456789abcde\n", len(l.Buf)/16)
	for round := range 3 {
		for i := range len(text) {
			l.add(text[i])
			if i%997 != 0 && i != len(text)-1 {
				continue
			}
			all := strings.Repeat(text, round) + text[:i+1]
			if want := all[max(0, len(all)-len(l.Buf)):]; string(l.since(0)) != want {
				t.Fatalf("after %d bytes the log is not the last of them", l.N)
			}
			if want := all[strings.LastIndexByte(all, '\n')+1:]; string(l.since(l.Start)) != want {
				t.Fatalf("after %d bytes the line is %q, want %q", l.N, l.since(l.Start), want)
			}
		}
	}
}
