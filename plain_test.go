package alpinevm

import (
	"go/ast"
	"path"
	"reflect"
	"strings"
	"testing"

	"alpinevm/fs9p/hostfs"
	"alpinevm/fs9p/memfs"
	"alpinevm/fs9p/overlay"
	"alpinevm/fs9p/statefs"
	"alpinevm/internal/linux"
	"alpinevm/internal/statetest"
)

// TestStateIsPlain walks every State that there is: what a machine saves, and what
// its file systems do. Whatever has a method Save is among them.
func TestStateIsPlain(t *testing.T) {
	walked := map[string]bool{} // by the package's folder and the type's name
	for _, s := range []any{state{}, hostfs.State{}, memfs.State{}, overlay.State{}, statefs.State{}, linux.ModulesState{}} {
		statetest.Plain(t, s)
		parts(walked, reflect.TypeOf(s))
	}
	savers := 0
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			name, ok := saved(d)
			if !ok || s.isTest() || allowed(testsOnly, s.pkg) {
				continue
			}
			savers++
			if !walked[path.Join(s.pkg, name)] {
				t.Errorf("%s: Save gives a %s, which is no part of the states above", s.name, name)
			}
		}
	}
	if savers < 20 {
		t.Errorf("only %d methods Save were seen", savers)
	}
}

// parts adds the module's types that a type is made of.
func parts(to map[string]bool, t reflect.Type) {
	if pkg, ok := strings.CutPrefix(t.PkgPath()+"/", "alpinevm/"); ok {
		to[path.Join(pkg, t.Name())] = true
	}
	switch t.Kind() {
	case reflect.Slice, reflect.Array, reflect.Pointer:
		parts(to, t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			parts(to, t.Field(i).Type)
		}
	}
}

// saved is the type, of its own package, that a method Save or save without
// arguments gives.
func saved(d ast.Decl) (name string, ok bool) {
	f, ok := d.(*ast.FuncDecl)
	if !ok || f.Recv == nil || !strings.EqualFold(f.Name.Name, "save") || f.Type.Params.NumFields() != 0 || f.Type.Results.NumFields() == 0 {
		return "", false
	}
	result := f.Type.Results.List[0].Type
	if p, isPointer := result.(*ast.StarExpr); isPointer {
		result = p.X
	}
	id, ok := result.(*ast.Ident)
	if !ok {
		return "", false // such as []byte, which is in the State that it goes into
	}
	return id.Name, true
}
