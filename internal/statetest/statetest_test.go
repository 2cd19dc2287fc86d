package statetest

import (
	"testing"
)

// recorder is a testing.TB that counts what is wrong.
type recorder struct {
	testing.TB
	errors int
}

func (r *recorder) Errorf(string, ...any) { r.errors++ }
func (r *recorder) Helper()               {}

// TestPlain: what may be in a State and what may not.
func TestPlain(t *testing.T) {
	type inner struct{ A [3]uint8 }
	for _, row := range []struct {
		state any
		wrong int
	}{
		{struct{}{}, 0},
		{struct {
			A int
			B []inner
			C string
			D [2][]byte
		}{}, 0},
		{struct{ a int }{}, 1},
		{struct{ A *int }{}, 1},
		{struct{ A map[int]int }{}, 1},
		{struct{ A func() }{}, 1},
		{struct{ A chan int }{}, 1},
		{struct{ A any }{}, 1},
		{struct{ A error }{}, 1},
		{struct{ A uintptr }{}, 1},
		{struct{ A []struct{ B *inner } }{}, 1},
		{struct {
			inner
			B [1]func()
		}{}, 2},
	} {
		r := &recorder{}
		if Plain(r, row.state); r.errors != row.wrong {
			t.Errorf("%T: %d things are wrong, want %d", row.state, r.errors, row.wrong)
		}
	}
}
