package generics

import "errors"

// Number is what can be added and multiplied.
type Number interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~float32 | ~float64
}

// Matrix is row by row.
type Matrix[N Number] struct {
	Rows, Columns int
	Items         []N
}

// Identity is the square matrix that changes nothing.
func Identity[N Number](n int) Matrix[N] {
	m := Matrix[N]{n, n, make([]N, n*n)}
	for i := range n {
		m.Items[i*n+i] = 1
	}
	return m
}

// Multiply is the product of two matrices.
func (m Matrix[N]) Multiply(o Matrix[N]) (Matrix[N], error) {
	if m.Columns != o.Rows {
		return Matrix[N]{}, errors.New("the matrices do not fit")
	}
	p := Matrix[N]{m.Rows, o.Columns, make([]N, m.Rows*o.Columns)}
	for i := range m.Rows {
		for j := range o.Columns {
			for k := range m.Columns {
				p.Items[i*p.Columns+j] += m.Items[i*m.Columns+k] * o.Items[k*o.Columns+j]
			}
		}
	}
	return p, nil
}

// Sum adds.
func Sum[N Number](items ...N) N {
	return Fold(items, 0, func(a, b N) N { return a + b })
}
