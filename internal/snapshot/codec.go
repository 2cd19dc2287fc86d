package snapshot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
)

// The encoding of a section: its fields one behind the other, in order, without
// names, which its form has. Numbers are little-endian and as wide as the form
// says, a bool is a byte, 0 or 1; a text or a slice begins with its length in 4
// bytes. A value never takes more memory than six times its encoding.

var le = binary.LittleEndian

// maxLength is the most that one text or slice has.
const maxLength = math.MaxInt32

// Late is bytes that are read when they are written: in a value to encode it
// stands for a []byte.
type Late = func() ([]byte, error)

// An encoder passes what it has encoded on to out, if that is not nil, whenever it
// is much.
type encoder struct{ out io.Writer }

// much is how many bytes an encoder with an out keeps, about.
const much = 1 << 20

// encode appends v, which fails only where something is too long, cannot be read or
// cannot be passed on.
func encode(b []byte, v reflect.Value) ([]byte, error) { return encoder{}.encode(b, v) }

func (e encoder) encode(b []byte, v reflect.Value) ([]byte, error) {
	switch v.Kind() {
	case reflect.Bool:
		if v.Bool() {
			return append(b, 1), nil
		}
		return append(b, 0), nil
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Int:
		return number(b, uint64(v.Int()), width(v.Kind())), nil
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uint:
		return number(b, v.Uint(), width(v.Kind())), nil
	case reflect.Float32:
		return le.AppendUint32(b, math.Float32bits(float32(v.Float()))), nil
	case reflect.Float64:
		return le.AppendUint64(b, math.Float64bits(v.Float())), nil
	case reflect.String:
		b, err := length(b, v.Len())
		return append(b, v.String()...), err
	case reflect.Slice:
		b, err := length(b, v.Len())
		if err != nil {
			return nil, err
		}
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return append(b, v.Bytes()...), nil
		}
		return e.elements(b, v)
	case reflect.Array:
		return e.elements(b, v)
	case reflect.Func:
		return e.late(b, v.Interface().(Late))
	case reflect.Struct:
		var err error
		for _, i := range kept(v.Type()) {
			if b, err = e.encode(b, v.Field(i)); err != nil {
				return nil, err
			}
		}
		return b, nil
	}
	panic("BUG: snapshot: " + v.Type().String() + " is no plain data")
}

func (e encoder) elements(b []byte, v reflect.Value) (_ []byte, err error) {
	for i := range v.Len() {
		if b, err = e.encode(b, v.Index(i)); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (e encoder) late(b []byte, read Late) ([]byte, error) {
	p, err := read()
	if err != nil {
		return nil, err
	}
	if b, err = length(b, len(p)); err != nil {
		return nil, err
	}
	b = append(b, p...)
	if e.out != nil && len(b) >= much {
		_, err = e.out.Write(b)
		b = b[:0]
	}
	return b, err
}

func length(b []byte, n int) ([]byte, error) {
	if n > maxLength {
		return nil, fmt.Errorf("%d bytes or elements in one piece are too many for a snapshot", n)
	}
	return le.AppendUint32(b, uint32(n)), nil
}

// width is that of a number in bytes.
func width(k reflect.Kind) int {
	switch k {
	case reflect.Int8, reflect.Uint8:
		return 1
	case reflect.Int16, reflect.Uint16:
		return 2
	case reflect.Int32, reflect.Uint32:
		return 4
	}
	return 8
}

func number(b []byte, v uint64, bytes int) []byte {
	for range bytes {
		b, v = append(b, byte(v)), v>>8
	}
	return b
}

// errShort and errValue are of sections that nobody has encoded.
var (
	errShort = errors.New("it ends too early")
	errValue = errors.New("a number is out of its range")
	errLong  = errors.New("there is more in it than belongs there")
)

// A decoder fills values. With share, bytes in what it fills are those that it has
// read from, and not copies.
type decoder struct{ share bool }

// decode fills v from b and gives what is behind it.
func (d decoder) decode(b []byte, v reflect.Value) (rest []byte, err error) {
	switch v.Kind() {
	case reflect.Bool, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Int,
		reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uint, reflect.Float32, reflect.Float64:
		return scalar(b, v)
	case reflect.String, reflect.Slice:
		if len(b) < 4 {
			return nil, errShort
		}
		n := int64(le.Uint32(b))
		return d.sequence(b[4:], n, v)
	case reflect.Array:
		return d.each(b, v)
	case reflect.Struct:
		for _, i := range kept(v.Type()) {
			if b, err = d.decode(b, v.Field(i)); err != nil {
				return nil, err
			}
		}
		return b, nil
	}
	panic("BUG: snapshot: " + v.Type().String() + " is no plain data")
}

func (d decoder) each(b []byte, v reflect.Value) (_ []byte, err error) {
	for i := range v.Len() {
		if b, err = d.decode(b, v.Index(i)); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// sequence fills a text or a slice of n elements; none make it nil.
func (d decoder) sequence(b []byte, n int64, v reflect.Value) ([]byte, error) {
	if v.Kind() == reflect.String || v.Type().Elem().Kind() == reflect.Uint8 {
		if n > int64(len(b)) {
			return nil, errShort
		}
		switch {
		case v.Kind() == reflect.String:
			v.SetString(string(b[:n]))
		case n > 0 && d.share:
			v.SetBytes(b[:n:n])
		case n > 0:
			v.SetBytes(append([]byte(nil), b[:n]...))
		}
		return b[n:], nil
	}
	// An element of no bytes could be there any number of times.
	if least := smallest(v.Type().Elem()); n > maxLength || least == 0 && n > 0 || n*least > int64(len(b)) {
		return nil, errShort
	}
	if n == 0 {
		return b, nil
	}
	v.Set(reflect.MakeSlice(v.Type(), int(n), int(n)))
	return d.each(b, v)
}

// smallest is the least that a value takes, in bytes.
func smallest(t reflect.Type) (n int64) {
	switch t.Kind() {
	case reflect.Bool:
		return 1
	case reflect.String, reflect.Slice:
		return 4
	case reflect.Array:
		return int64(t.Len()) * smallest(t.Elem())
	case reflect.Struct:
		for _, i := range kept(t) {
			n += smallest(t.Field(i).Type)
		}
		return n
	case reflect.Float32:
		return 4
	}
	return int64(width(t.Kind()))
}

// scalar fills a number or a flag.
func scalar(b []byte, v reflect.Value) ([]byte, error) {
	n := int(smallest(v.Type()))
	if len(b) < n {
		return nil, errShort
	}
	var word [8]byte
	copy(word[:], b[:n])
	x := le.Uint64(word[:])
	switch v.Kind() {
	case reflect.Bool:
		if x > 1 {
			return nil, errValue
		}
		v.SetBool(x == 1)
	case reflect.Float32:
		v.SetFloat(float64(math.Float32frombits(uint32(x))))
	case reflect.Float64:
		v.SetFloat(math.Float64frombits(x))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uint:
		if v.OverflowUint(x) {
			return nil, errValue
		}
		v.SetUint(x)
	default:
		signed := int64(x) << (64 - 8*n) >> (64 - 8*n)
		if v.OverflowInt(signed) {
			return nil, errValue
		}
		v.SetInt(signed)
	}
	return b[n:], nil
}
