// Package statetest tests what devices, and others whose State is a part of a
// snapshot, promise: that it is plain data, and that who was restored goes on as
// who was saved.
package statetest

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"math/rand"
	"reflect"
	"testing"
)

// Saver is who has a State.
type Saver[S any] interface {
	// Save gives a copy of the state, which later changes leave alone.
	Save() S
	// Restore puts back a state. It refuses one that Save cannot have given,
	// and has then changed nothing.
	Restore(S) error
}

// Plain fails the test where a State holds anything but exported numbers, flags,
// texts, and arrays, slices and structs of such.
func Plain(tb testing.TB, state any) {
	tb.Helper()
	plain(tb, reflect.TypeOf(state), reflect.TypeOf(state).String())
}

func plain(tb testing.TB, t reflect.Type, path string) {
	tb.Helper()
	switch t.Kind() {
	case reflect.Bool, reflect.String,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64,
		reflect.Float32, reflect.Float64:
	case reflect.Array, reflect.Slice:
		plain(tb, t.Elem(), path+"[]")
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			if !f.IsExported() {
				tb.Errorf("%s.%s is not exported", path, f.Name)
			}
			plain(tb, f.Type, path+"."+f.Name)
		}
	default:
		tb.Errorf("%s is a %s, which is no plain data", path, t.Kind())
	}
}

// Copy gives a state as it comes out of a file.
func Copy[S any](tb testing.TB, state S) S {
	tb.Helper()
	Plain(tb, state)
	var b bytes.Buffer
	var out S
	if err := gob.NewEncoder(&b).Encode(state); err != nil {
		tb.Fatal(err)
	}
	if err := gob.NewDecoder(&b).Decode(&out); err != nil {
		tb.Fatal(err)
	}
	return out
}

// Move restores in to what it saves of from.
func Move[S any](tb testing.TB, to, from Saver[S]) {
	tb.Helper()
	state := from.Save()
	if err := to.Restore(Copy(tb, state)); err != nil {
		tb.Fatalf("%+v: %v", state, err)
	}
}

// Rig is a device with all that it is plugged into.
type Rig interface {
	// Step has the surroundings do something that rnd chooses, and gives what
	// could be seen of the device meanwhile.
	Step(rnd *rand.Rand) string
	// Fork makes the same rig anew, with a device that is restored from this
	// one's.
	Fork(tb testing.TB) Rig
}

// GoOn steps two rigs alike, of which one is replaced by a fork of itself now and
// then. What is seen of both must be the same for ever.
func GoOn(t *testing.T, build func(tb testing.TB) Rig) {
	t.Helper()
	const seeds, steps = 20, 400
	for seed := range int64(seeds) {
		kept, moved := build(t), build(t)
		one, two := rand.New(rand.NewSource(seed)), rand.New(rand.NewSource(seed))
		forks := rand.New(rand.NewSource(^seed))
		last := "never"
		for step := range steps {
			if forks.Intn(20) == 0 {
				moved = moved.Fork(t)
				last = fmt.Sprint("before step ", step)
			}
			want, got := kept.Step(one), moved.Step(two)
			if got != want {
				t.Fatalf("seed %d, step %d, restored %s: seen was\n%s\nwant\n%s", seed, step, last, got, want)
			}
		}
	}
}

// Hostile restores rigs from states that were changed here and there, as in a
// snapshot that somebody has made up. What Restore lets pass must neither panic
// nor hang in whatever steps follow; what it refuses has changed nothing.
func Hostile[S any](t *testing.T, build func(tb testing.TB) (Rig, Saver[S])) {
	t.Helper()
	const seeds, steps = 600, 40
	refused := 0
	for seed := range int64(seeds) {
		rnd := rand.New(rand.NewSource(seed))
		rig, saver := build(t)
		for range rnd.Intn(steps) {
			rig.Step(rnd)
		}
		before := saver.Save()
		state := Copy(t, before)
		for range 1 + rnd.Intn(3) {
			mutate(rnd, reflect.ValueOf(&state).Elem())
		}
		if err := saver.Restore(state); err != nil {
			refused++
			if after := saver.Save(); !reflect.DeepEqual(after, before) {
				t.Fatalf("seed %d: %v, and yet it went from\n%+v\nto\n%+v", seed, err, before, after)
			}
			continue
		}
		for range steps {
			rig.Step(rnd)
		}
	}
	t.Logf("%d of %d states were refused", refused, seeds)
}

// mutate gives one number, flag or text in v another value, or a slice another
// length.
func mutate(rnd *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		if n := v.NumField(); n > 0 {
			mutate(rnd, v.Field(rnd.Intn(n)))
		}
	case reflect.Array:
		mutate(rnd, v.Index(rnd.Intn(v.Len())))
	case reflect.Slice:
		switch n := v.Len(); {
		case n == 0 || rnd.Intn(8) == 0:
			grown := reflect.MakeSlice(v.Type(), rnd.Intn(2*n+3), 2*n+3)
			reflect.Copy(grown, v)
			v.Set(grown)
		default:
			mutate(rnd, v.Index(rnd.Intn(n)))
		}
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.String:
		v.SetString(v.String() + string(rune(rnd.Intn(300))))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(number(rnd, uint64(v.Int()))))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(number(rnd, v.Uint()))
	}
}

// number is one that programs are wrong about.
func number(rnd *rand.Rand, old uint64) uint64 {
	bit := uint64(1) << rnd.Intn(64)
	return [...]uint64{0, 1, old + 1, old - 1, old ^ bit, bit, bit - 1, -bit, rnd.Uint64(), uint64(rnd.Intn(256))}[rnd.Intn(10)]
}
