package snapshot

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// tag is that of a field which is not kept, as its value "-".
const tag = "snapshot"

var forms sync.Map // of reflect.Type, string

// form describes a type of plain data (package statetest says what that is) as
// text: the names and kinds of all that is in it. int and uint are 64 bits.
func form(t reflect.Type) string {
	if f, ok := forms.Load(t); ok {
		return f.(string)
	}
	var b strings.Builder
	describe(&b, t)
	forms.Store(t, b.String())
	return b.String()
}

func describe(b *strings.Builder, t reflect.Type) {
	switch t.Kind() {
	case reflect.Struct:
		b.WriteString("{")
		for _, i := range kept(t) {
			f := t.Field(i)
			b.WriteString(f.Name + " ")
			describe(b, f.Type)
			b.WriteString(";")
		}
		b.WriteString("}")
	case reflect.Array:
		fmt.Fprintf(b, "[%d]", t.Len())
		describe(b, t.Elem())
	case reflect.Func:
		if t != reflect.TypeFor[Late]() {
			panic("BUG: snapshot: " + t.String() + " is no plain data")
		}
		b.WriteString("[]uint8")
	case reflect.Slice:
		b.WriteString("[]")
		describe(b, t.Elem())
	case reflect.Int:
		b.WriteString("int64")
	case reflect.Uint:
		b.WriteString("uint64")
	case reflect.Bool, reflect.String,
		reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float32, reflect.Float64:
		b.WriteString(t.Kind().String())
	default:
		panic("BUG: snapshot: " + t.String() + " is no plain data")
	}
}

// kept lists the fields of a struct that belong to a snapshot.
func kept(t reflect.Type) []int {
	var list []int
	for i := range t.NumField() {
		if f := t.Field(i); f.Tag.Get(tag) != "-" {
			if !f.IsExported() {
				panic("BUG: snapshot: " + t.String() + "." + f.Name + " is not exported")
			}
			list = append(list, i)
		}
	}
	return list
}

// difference names the first thing in which two forms differ, for people.
func difference(got, want string) string {
	a, b := words(got), words(want)
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("it has %.80q where %.80q belongs", a[i], b[i])
		}
	}
	if len(a) > len(b) {
		return fmt.Sprintf("it has %.80q, which we do not know", a[len(b)])
	}
	return fmt.Sprintf("it has no %.80q", b[min(len(a), len(b)-1)])
}

func words(form string) []string {
	return strings.FieldsFunc(form, func(r rune) bool { return strings.ContainsRune("{};", r) })
}
