package generics

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// Named types, whose code is their underlying type's or not, as the compiler
// likes it.
type (
	celsius float64
	name    string
	port    uint16
)

// ordered tests what is generic over ordered types with one that makes make.
func ordered[T cmp.Ordered](make func(*rand.Rand) T) func(*testing.T) {
	return func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		var h Heap[T]
		var m Map[T, int]
		var want []T
		for range 1000 {
			v := make(r)
			want = append(want, v)
			h.Push(v)
			n, _ := m.Get(v)
			m.Set(v, n+1)
		}
		keys := slices.Clone(want)
		SortBy(keys, func(v T) T { return v })
		slices.Sort(want)
		if !slices.Equal(keys, want) {
			t.Error("SortBy does not sort")
		}
		for i, w := range want {
			if v, ok := h.Pop(); !ok || v != w {
				t.Fatalf("item %d: %v, want %v", i, v, w)
			}
		}
		groups := Group(want, func(v T) T { return v })
		if len(groups) != m.Len() {
			t.Errorf("%d groups, %d keys", len(groups), m.Len())
		}
		for _, g := range groups {
			if n, ok := m.Get(g.First); !ok || n != len(g.Second) {
				t.Fatalf("%v is there %d times, want %d", g.First, n, len(g.Second))
			}
		}
	}
}

// number tests what is generic over numbers.
func number[N Number](t *testing.T) {
	fibonacci, power := Matrix[N]{2, 2, []N{1, 1, 1, 0}}, Identity[N](2)
	for range 10 {
		var err error
		if power, err = power.Multiply(fibonacci); err != nil {
			t.Fatal(err)
		}
	}
	if power.Items[1] != 55 {
		t.Errorf("the tenth of Fibonacci's numbers is %v", power.Items[1])
	}
	if s := Sum(Apply([]int{1, 2, 3}, func(i int) N { return N(i) })...); s != 6 {
		t.Errorf("the sum is %v", s)
	}
	g := Graph[string, N]{}
	for _, p := range Zip([]string{"b", "c", "d"}, []string{"a", "b", "c"}) {
		g.Join(p.First, p.Second, 2)
	}
	g.Join("a", "d", 7)
	if d := g.Distances("a"); len(d) != 4 || d["d"] != 6 {
		t.Errorf("distances %v", d)
	}
}

func TestOrdered(t *testing.T) {
	t.Run("int", ordered(func(r *rand.Rand) int { return r.IntN(500) }))
	t.Run("int8", ordered(func(r *rand.Rand) int8 { return int8(r.IntN(256)) }))
	t.Run("int64", ordered(func(r *rand.Rand) int64 { return r.Int64N(1 << 40) }))
	t.Run("uint32", ordered(func(r *rand.Rand) uint32 { return r.Uint32() }))
	t.Run("float32", ordered(func(r *rand.Rand) float32 { return r.Float32() }))
	t.Run("float64", ordered(func(r *rand.Rand) float64 { return r.Float64() }))
	t.Run("string", ordered(func(r *rand.Rand) string { return fmt.Sprint(r.IntN(500)) }))
	t.Run("celsius", ordered(func(r *rand.Rand) celsius { return celsius(r.NormFloat64()) }))
	t.Run("name", ordered(func(r *rand.Rand) name { return name(fmt.Sprint(r.Uint32())) }))
	t.Run("port", ordered(func(r *rand.Rand) port { return port(r.IntN(1 << 16)) }))
}

func TestNumber(t *testing.T) {
	t.Run("int", number[int])
	t.Run("int8", number[int8])
	t.Run("int16", number[int16])
	t.Run("int64", number[int64])
	t.Run("uint8", number[uint8])
	t.Run("uint32", number[uint32])
	t.Run("uint64", number[uint64])
	t.Run("float32", number[float32])
	t.Run("celsius", number[celsius])
	t.Run("port", number[port])
}
