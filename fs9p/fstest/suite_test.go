package fstest

import (
	"testing"

	"alpinevm/fs9p"
)

// TestTableIsComplete finds messages of 9P2000.L that no row or scenario names.
func TestTableIsComplete(t *testing.T) {
	rows := map[fs9p.MsgType]int{}
	for _, row := range Messages {
		rows[row.Type]++
	}
	n := 0
	for typ := range fs9p.Requests() {
		n++
		if rows[typ] == 0 {
			t.Errorf("no row for %v", typ)
		}
	}
	if n != 28 {
		t.Errorf("%d requests are served, 28 are in 9P2000.L", n)
	}
}
