package softfloat

import (
	"math"
	"testing"
)

// Operands of the benchmarks, few enough to stay in cache and varied enough to
// defeat branch prediction by position.
func operands() (f [256]uint64, x [256]F80) {
	s := newSource(90)
	e := Env{Masks: exceptions, Precision: 64}
	for i := range f {
		f[i] = math.Float64bits(s.Float64()*100 + 1)
		x[i] = e.Load64(math.Float64bits(s.Float64()*100 + 1))
		x[i].Mant |= s.Uint64() & 0x7ff
	}
	return f, x
}

func BenchmarkSSE(b *testing.B) {
	f, _ := operands()
	for _, m := range []struct {
		name  string
		mxcsr uint32
	}{{"host", 0x1fa0}, {"soft", 0x1f80}} {
		for _, op := range []struct {
			name string
			f    func(*Env, uint64, uint64) uint64
		}{{"Add64", (*Env).Add64}, {"Mul64", (*Env).Mul64}, {"Div64", (*Env).Div64}} {
			b.Run(m.name+"/"+op.name, func(b *testing.B) {
				e := FromMXCSR(m.mxcsr)
				sum := uint64(0)
				for i := range b.N {
					sum += op.f(&e, f[i&255], f[i>>8&255])
				}
				sink = sum
			})
		}
	}
}

var sink uint64

func Benchmark80(b *testing.B) {
	_, x := operands()
	for _, op := range []struct {
		name string
		f    func(*Env, F80, F80) F80
	}{
		{"Add80", (*Env).Add80}, {"Sub80", (*Env).Sub80}, {"Mul80", (*Env).Mul80}, {"Div80", (*Env).Div80},
		{"Sqrt80", func(e *Env, a, _ F80) F80 { return e.Sqrt80(a) }},
		{"Store64", func(e *Env, a, _ F80) F80 { return F80{e.Store64(a), 0} }},
		{"Load64", func(e *Env, a, _ F80) F80 { return e.Load64(a.Mant>>12 | 1<<62) }},
		{"ToInt80", func(e *Env, a, _ F80) F80 { return F80{uint64(e.ToInt80(a, 32)), 0} }},
		{"Compare80", func(e *Env, a, b F80) F80 { return F80{uint64(e.Compare80(a, b, false)), 0} }},
		{"Sin80", func(e *Env, a, _ F80) F80 { r, _ := e.Sin80(a); return r }},
		{"Log80", (*Env).Log80}, {"Atan80", (*Env).Atan80},
	} {
		b.Run(op.name, func(b *testing.B) {
			e := FromControl(0x37f)
			sum := uint64(0)
			for i := range b.N {
				sum += op.f(&e, x[i&255], x[i>>8&255]).Mant
			}
			sink = sum
		})
	}
}
